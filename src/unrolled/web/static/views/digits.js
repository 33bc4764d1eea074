// Numbers of a network as they are read: float16 holds three digits, and so many are shown.

/** Three digits after the point below 1, fewer above: 0.972, −2.23, 41.7. */
export function digits(value) {
  if (!Number.isFinite(value)) return "–";
  const places = Math.abs(value) < 0.9995 ? 3 : Math.abs(value) < 9.995 ? 2 : 1;
  const written = value.toFixed(places);
  return Number(written) === 0 ? written.replace("-", "") : written.replace("-", "−");
}

/** A probability: 45.2 %, 0.031 %. */
export function percent(probability) {
  const share = 100 * probability;
  return `${share >= 0.1 || share === 0 ? share.toFixed(1) : share.toPrecision(2)} %`;
}

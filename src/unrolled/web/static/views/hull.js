// The convex hull, to hold an answer against: Andrew's monotone chain (1979).

/** The numbers, from 0, of the points [x, y] at the hull's corners, anticlockwise from the leftmost. */
export function hull(points) {
  const order = points.map((_, i) => i).sort((a, b) => points[a][0] - points[b][0] || points[a][1] - points[b][1]);
  const chain = (list) => {
    const kept = [];
    for (const i of list) {
      while (kept.length >= 2 && turn(points[kept.at(-2)], points[kept.at(-1)], points[i]) <= 0) kept.pop();
      kept.push(i);
    }
    return kept.slice(0, -1);
  };
  return [...chain(order), ...chain([...order].reverse())];
}

function turn([ax, ay], [bx, by], [cx, cy]) {
  return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
}

/** Whether two closed lines are one, wherever they begin and whichever way round they go. */
export function sameLoop(one, other) {
  if (one.length !== other.length || new Set(one).size !== one.length) return false;
  const [length, start] = [one.length, other.indexOf(one[0])];
  if (start < 0) return false;
  return [1, -1].some((way) => one.every((value, i) => value === other[(((start + way * i) % length) + length) % length]));
}

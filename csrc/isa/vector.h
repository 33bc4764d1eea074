// Vectors of the instruction set that this file is compiled for, and the functions of them that cells need.
//
// kernels.cpp includes it, once for each instruction set. All of it stands in an anonymous namespace, so that the
// linker can never hand one set's code to a machine that has another.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int VECTOR_BYTES = 64;
constexpr int REGISTERS = 32;
#elif defined(__AVX2__)
constexpr int VECTOR_BYTES = 32;
constexpr int REGISTERS = 16;
#else  // SSE2; NEON on ARM, which has more of them
constexpr int VECTOR_BYTES = 16;
#if defined(__aarch64__)
constexpr int REGISTERS = 32;
#else
constexpr int REGISTERS = 16;
#endif
#endif

// A bfloat16 number as it is stored: the upper half of a float.
struct bfloat16 {
  std::uint16_t bits;
};

template <class C>
struct Simd;

template <>
struct Simd<float> {
  typedef float Vector __attribute__((vector_size(VECTOR_BYTES)));
  typedef std::int32_t Whole __attribute__((vector_size(VECTOR_BYTES)));
  typedef std::uint32_t Bits __attribute__((vector_size(VECTOR_BYTES)));
  typedef std::uint16_t Half __attribute__((vector_size(VECTOR_BYTES / 2)));
};

template <>
struct Simd<double> {
  typedef double Vector __attribute__((vector_size(VECTOR_BYTES)));
  typedef std::int64_t Whole __attribute__((vector_size(VECTOR_BYTES)));
};

template <class C>
using Vector = typename Simd<C>::Vector;
template <class C>
using Whole = typename Simd<C>::Whole;

template <class C>
constexpr int LANES = VECTOR_BYTES / int(sizeof(C));

template <class C>
inline Vector<C> all(C value) {
  return Vector<C>{} + value;
}

// --- between memory and registers; what is stored may be narrower than what is computed with ---

inline Vector<float> load(const float* from) {
  Vector<float> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

inline Vector<double> load(const double* from) {
  Vector<double> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

inline Vector<float> load(const bfloat16* from) {
  Simd<float>::Half half;
  std::memcpy(&half, from, sizeof half);
  const Simd<float>::Bits bits = __builtin_convertvector(half, Simd<float>::Bits) << 16;
  Vector<float> v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

inline void store(float* to, Vector<float> v) { std::memcpy(to, &v, sizeof v); }

inline void store(double* to, Vector<double> v) { std::memcpy(to, &v, sizeof v); }

// Past the caches where there is a way, for what would only push others out of them. `to` stands on a vector's boundary;
// `settle` before anybody else reads it.
inline void stream(float* to, Vector<float> v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(to, (__m512)v);
#elif defined(__AVX2__)
  _mm256_stream_ps(to, (__m256)v);
#elif defined(__x86_64__)
  _mm_stream_ps(to, (__m128)v);
#else
  store(to, v);
#endif
}

inline void stream(double* to, Vector<double> v) {
#if defined(__AVX512F__)
  _mm512_stream_pd(to, (__m512d)v);
#elif defined(__AVX2__)
  _mm256_stream_pd(to, (__m256d)v);
#elif defined(__x86_64__)
  _mm_stream_pd(to, (__m128d)v);
#else
  store(to, v);
#endif
}

inline void settle() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

// To the nearest, ties to even; NaN stays NaN.
inline void store(bfloat16* to, Vector<float> v) {
#if defined(__AVX512BF16__)
  const __m256bh half = _mm512_cvtneps_pbh((__m512)v);
  std::memcpy(to, &half, sizeof half);
#else
  Simd<float>::Bits bits;
  std::memcpy(&bits, &v, sizeof bits);
  const Simd<float>::Bits rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const Simd<float>::Bits quiet = (bits >> 16) | 0x40u;
  const Simd<float>::Half half = __builtin_convertvector(v == v ? rounded : quiet, Simd<float>::Half);
  std::memcpy(to, &half, sizeof half);
#endif
}

inline bfloat16 narrow(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (value != value) return {std::uint16_t((bits >> 16) | 0x40u)};
  return {std::uint16_t((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

// The first `count` lanes, zeros behind them: what lies past the end of a row is not ours to read or write.
template <class C, class S>
inline Vector<C> load(const S* from, int count) {
  if (count >= LANES<C>) return load(from);
  S some[LANES<C>] = {};
  std::memcpy(some, from, sizeof(S) * count);
  return load(some);
}

template <class C, class S>
inline void store(S* to, Vector<C> v, int count) {
  if (count >= LANES<C>) {
    store(to, v);
    return;
  }
  S some[LANES<C>];
  store(some, v);
  std::memcpy(to, some, sizeof(S) * count);
}

// --- exp, and what is made of it ---

// e^x = 2^n · e^r with |r| ≤ ln 2 / 2. The argument is held where 2^n is a normal number, which keeps σ and tanh at their
// limits; NaN stays NaN. `shift` is 1.5 · 2^23 (or 2^52): adding it rounds to a whole number.
struct Reduced {
  Vector<float> n, r;
};

inline Reduced reduce(Vector<float> x) {
#if defined(__AVX512F__)
  x = (Vector<float>)_mm512_min_ps(_mm512_set1_ps(88.0f), _mm512_max_ps(_mm512_set1_ps(-87.0f), (__m512)x));
#else
  x = x < -87.0f ? all(-87.0f) : x;
  x = x > 88.0f ? all(88.0f) : x;
#endif
  const Vector<float> shift = all(12582912.0f), n = (x * 1.44269504088896341f + shift) - shift;
  return {n, (x - n * 0.693359375f) - n * -2.12194440e-4f};
}

// e^r − 1 on that interval: the minimax polynomial of degree 6.
inline Vector<float> small_exponential(Vector<float> r) {
  Vector<float> p = all(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return p * (r * r) + r;
}

// v · 2^n
inline Vector<float> scale(Vector<float> v, Vector<float> n) {
#if defined(__AVX512F__)
  return (Vector<float>)_mm512_scalef_ps((__m512)v, (__m512)n);
#else
  const Whole<float> power = (__builtin_convertvector(n, Whole<float>) + 127) << 23;
  Vector<float> two_to_n;
  std::memcpy(&two_to_n, &power, sizeof two_to_n);
  return v * two_to_n;
#endif
}

inline Vector<float> exponential(Vector<float> x) {
  const Reduced at = reduce(x);
  return scale(small_exponential(at.r) + 1.0f, at.n);
}

inline Vector<double> exponential(Vector<double> x) {
  // A rational approximation on the same interval, good to the last bit or two of double precision.
  x = x < -708.0 ? all(-708.0) : x;
  x = x > 709.0 ? all(709.0) : x;
  const Vector<double> shift = all(6755399441055744.0);
  const Vector<double> n = (x * 1.4426950408889634074 + shift) - shift;
  const Vector<double> r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
  const Vector<double> rr = r * r;
  const Vector<double> p = ((all(1.26177193074810590878e-4) * rr + 3.02994407707441961300e-2) * rr + 1.0) * r;
  const Vector<double> q =
      ((all(3.00198505138664455042e-6) * rr + 2.52448340349684104192e-3) * rr + 2.27265548208155028766e-1) * rr + 2.0;
  const Vector<double> value = 2.0 * (p / (q - p)) + 1.0;
  const Whole<double> power = (__builtin_convertvector(n, Whole<double>) + 1023) << 52;
  Vector<double> scale;
  std::memcpy(&scale, &power, sizeof scale);
  return value * scale;
}

template <class V>
inline V sigmoid(V x) {
  return 1 / (1 + exponential(-x));
}

// (e^2x − 1) / (e^2x + 1), with e^2x − 1 = 2^n (e^r − 1) + (2^n − 1), which keeps every digit near zero, where n is 0.
inline Vector<float> hyperbolic_tangent(Vector<float> x) {
  const Vector<float> held = x > 15.0f ? all(15.0f) : x;  // 1 from there on; the lower end is held by `reduce`
  const Reduced at = reduce(held + held);
  const Vector<float> less_one = scale(small_exponential(at.r), at.n) + (scale(all(1.0f), at.n) - 1.0f);
  return less_one / (less_one + 2.0f);
}

// Near zero 1 − 2 / (1 + e^2x) loses its digits: there a rational function of x² stands in, to full relative precision.
inline Vector<double> hyperbolic_tangent(Vector<double> x) {
  const Vector<double> xx = x * x;
  const Vector<double> p = (all(-9.64399179425052238628e-1) * xx - 9.92877231001918586564e1) * xx - 1.61468768441708447952e3;
  const Vector<double> q =
      ((xx + 1.12811678491631932402e2) * xx + 2.23548839060100448583e3) * xx + 4.84406305325125486048e3;
  const Vector<double> small = x + x * xx * (p / q);
  const Vector<double> large = 1 - 2 / (exponential(x + x) + 1);
  return xx < 0.390625 ? small : large;
}

// log(1 + y) for y from 0 to 1: twice the series of artanh at s = y / (2 + y) ≤ 1/3.
template <class V>
inline V log_of_one_plus(V y) {
  constexpr int TERMS = sizeof y[0] == 4 ? 8 : 17;
  const V s = y / (y + 2), ss = s * s;
  V sum = V{} + 1 / decltype(+y[0])(2 * TERMS + 1);
  for (int n = TERMS - 1; n >= 0; --n) sum = sum * ss + 1 / decltype(+y[0])(2 * n + 1);
  return 2 * s * sum;
}

// log σ(x), for any x.
template <class V>
inline V log_sigmoid(V x) {
  const V least = x < 0 ? x : x * 0;
  return least - log_of_one_plus(exponential(x < 0 ? x : -x));
}

}  // namespace

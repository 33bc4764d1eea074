// The recurrent product: a few rows of the state times a packed panel of weights, held in registers from the first
// term of the sum to the last.
//
// A panel holds the weights of NV vectors of columns, term by term: [k][NV][lane]; for bfloat16, where one instruction
// takes two terms, [k / 2][NV][lane][2]. Rows are operands of type P, one after the other, `stride` apart.
#pragma once

#include "vector.h"

namespace {

// What a product's terms are made of, for numbers stored as S and computed with as C.
template <class S>
struct Operand {
  typedef S Type;
  typedef S Computed;
};

template <>
struct Operand<bfloat16> {
#if defined(__AVX512BF16__)
  typedef bfloat16 Type;
#else
  typedef float Type;  // without the instruction, bfloat16 numbers are multiplied as the floats that they are
#endif
  typedef float Computed;
};

// One step of a sum, for operands of type P: COUNT terms in each lane.
template <class P>
struct Terms {
  static constexpr int COUNT = 1;
  typedef Vector<P> Pack;
  static Pack weights(const P* from) { return load(from); }
  static Pack same(const P* from) { return all(*from); }
  static Vector<P> add(Vector<P> sum, Pack h, Pack w) { return sum + h * w; }
};

#if defined(__AVX512BF16__)
template <>
struct Terms<bfloat16> {
  static constexpr int COUNT = 2;
  typedef __m512bh Pack;
  static Pack weights(const bfloat16* from) { return (__m512bh)_mm512_loadu_si512(from); }
  static Pack same(const bfloat16* from) {
    std::int32_t pair;
    std::memcpy(&pair, from, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
  }
  static Vector<float> add(Vector<float> sum, Pack h, Pack w) {
    return (Vector<float>)_mm512_dpbf16_ps((__m512)sum, h, w);
  }
};
#endif

inline long round_up(long value, long multiple) { return (value + multiple - 1) / multiple * multiple; }

// Rows whose sums fit the registers beside NV vectors of weights and one operand.
constexpr int most_rows(int NV) {
  const int room = REGISTERS == 32 ? 24 / NV : 12 / NV;
  return room > 8 ? 8 : room;
}

template <class P, class C, int R, int NV>
inline void multiply(const P* rows, long stride, const P* panel, long K, C* sums) {
  typedef Terms<P> T;
  Vector<C> sum[R][NV] = {};
  for (long k = 0; k < K; k += T::COUNT) {
    typename T::Pack w[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) w[v] = T::weights(panel + (k * NV + T::COUNT * v) * LANES<C>);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const typename T::Pack h = T::same(rows + r * stride + k);
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) sum[r][v] = T::add(sum[r][v], h, w[v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) store(sums + (r * NV + v) * LANES<C>, sum[r][v]);
}

// sums[r][v][lane] for `rows` = 1 … most_rows(NV).
template <class P, class C, int NV, int R = most_rows(NV)>
__attribute__((noinline)) void multiply_rows(int count, const P* rows, long stride, const P* panel, long K, C* sums) {
  if constexpr (R > 1) {
    if (count < R) return multiply_rows<P, C, NV, R - 1>(count, rows, stride, panel, K, sums);
  }
  multiply<P, C, R, NV>(rows, stride, panel, K, sums);
}

inline void store_one(float* to, float value) { *to = value; }
inline void store_one(double* to, double value) { *to = value; }
inline void store_one(bfloat16* to, float value) { *to = narrow(value); }

}  // namespace

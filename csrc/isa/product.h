// The product at the bottom of everything here: a few rows times a packed panel of weights, with the sums held in registers.
//
// A panel holds the weights of TILE_VECTORS vectors of columns, term by term: [k][vector][lane]; for bfloat16, where one
// instruction takes two terms, [k / 2][vector][lane][2]. Two vectors and many rows ask least of the caches: each weight that is
// read serves all the rows, and each number of a row two vectors.
#pragma once

#include <type_traits>

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

constexpr int TILE_VECTORS = 2;
// Rows whose sums fit the registers beside the weights and one operand.
constexpr int TILE_ROWS = REGISTERS == 32 ? 12 : 6;
// Terms of a panel that stay in the first cache while all rows pass by.
template <class P>
constexpr long BLOCK_TERMS = 32768 / (TILE_VECTORS * VECTOR_BYTES) * Terms<P>::COUNT;

// The numbers of one panel for k terms.
template <class P, class C>
constexpr long panel_size(long k) {
  return round_up(k, Terms<P>::COUNT) * TILE_VECTORS * LANES<C>;
}

// Where element (term k, vector, lane) of a panel stands.
template <class P, class C>
inline long panel_place(long k, int vector, int lane) {
  constexpr int N = Terms<P>::COUNT;
  return ((k / N * TILE_VECTORS + vector) * LANES<C> + lane) * N + k % N;
}

// What the second cache is asked for while a product goes on: a line or two a term, `step` bytes from term to term.
struct Ahead {
  const char* from;
  long step;
};

struct Nothing {};

// R rows times MANY panels, `apart` from each other. Rows stand one after the other, `stride` apart; BY_TERM, the rows' numbers
// of one term do. Whatever R and MANY are, a sum is made in the same order. Fetch: Ahead or Nothing.
template <class P, class C, int R, int MANY, bool BY_TERM, class Fetch>
inline void multiply(const P* rows, long stride, const P* panel, long apart, long K, C* sums, long sums_stride, bool add,
                     [[maybe_unused]] Fetch fetch) {
  typedef Terms<P> T;
  constexpr int NV = TILE_VECTORS;
  Vector<C> sum[R][MANY * NV] = {};
  for (long k = 0; k < K; k += T::COUNT) {
    typename T::Pack w[MANY * NV];
#pragma GCC unroll 8
    for (int v = 0; v < MANY * NV; ++v)
      w[v] = T::weights(panel + v / NV * apart + (k * NV + T::COUNT * (v % NV)) * LANES<C>);
    if constexpr (std::is_same_v<Fetch, Ahead>) {
      __builtin_prefetch(fetch.from, 0, 2);
      __builtin_prefetch(fetch.from + 64, 0, 2);
      fetch.from += fetch.step;
    }
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const typename T::Pack h = T::same(BY_TERM ? rows + k * stride + r : rows + r * stride + k);
#pragma GCC unroll 8
      for (int v = 0; v < MANY * NV; ++v) sum[r][v] = T::add(sum[r][v], h, w[v]);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < MANY * NV; ++v) {
      C* to = sums + r * sums_stride + v * LANES<C>;
      store(to, add ? load(to) + sum[r][v] : sum[r][v]);
    }
}

// Sums of one panel for `count` = 1 … TILE_ROWS rows, written over what stands there, or added to it.
template <class P, class C, bool BY_TERM = false, class Fetch = Nothing, int R = TILE_ROWS>
__attribute__((noinline)) void multiply_rows(int count, const P* rows, long stride, const P* panel, long K, C* sums,
                                             long sums_stride, bool add, Fetch fetch = {}) {
  if constexpr (R > 1) {
    if (count < R)
      return multiply_rows<P, C, BY_TERM, Fetch, R - 1>(count, rows, stride, panel, K, sums, sums_stride, add, fetch);
  }
  multiply<P, C, R, 1, BY_TERM>(rows, stride, panel, 0, K, sums, sums_stride, add, fetch);
}

// `terms` terms from number k on, for few rows and MANY panels at a time: the few sums of one would all wait for their last
// term. From `panel` on; gives the first panel that is left.
template <class P, class C, int R, int MANY>
__attribute__((noinline)) long multiply_few(const P* rows, long stride, const P* packed, long panel, long panels, long K,
                                            long k, long terms, C* sums, long sums_stride, bool add) {
  const long apart = panel_size<P, C>(K);
  for (; panel + MANY <= panels; panel += MANY)
    multiply<P, C, R, MANY, false>(rows + k, stride, packed + panel * apart + panel_size<P, C>(k), apart, terms,
                                   sums + panel * TILE_VECTORS * LANES<C>, sums_stride, add, Nothing{});
  return panel;
}

// Writes over the sums, or adds to them, `count` rows times some panels of K terms each, whatever their numbers. A part of a
// panel that the first cache holds, then all rows; the sum of each part is made apart, which keeps more of its digits.
// Meanwhile the part that comes next is on its way, a share of it with each tile of rows.
template <class P, class C>
inline void multiply_panels(long count, const P* rows, long stride, const P* packed, long panels, long K, C* sums,
                            long sums_stride, bool add) {
  if (count == 0) return;
  const long tiles = round_up(count, TILE_ROWS) / TILE_ROWS;
  const auto some = [&](long panel, long k, long terms) {
    const P* part = packed + panel * panel_size<P, C>(K) + panel_size<P, C>(k);
    const long step = TILE_VECTORS * VECTOR_BYTES / tiles, share = step * (terms / Terms<P>::COUNT);
    const char* next = reinterpret_cast<const char*>(part + panel_size<P, C>(terms));
    for (long tile = 0; tile < tiles; ++tile) {
      const long first = count * tile / tiles, end = count * (tile + 1) / tiles;
      multiply_rows<P, C, false>(int(end - first), rows + first * stride + k, stride, part, terms,
                                 sums + first * sums_stride + panel * TILE_VECTORS * LANES<C>, sums_stride, add || k > 0,
                                 Ahead{next + tile * share, step});
    }
  };
  const auto part = [&](long k) { return K - k < BLOCK_TERMS<P> ? K - k : BLOCK_TERMS<P>; };
  if (count > 3) {
    for (long panel = 0; panel < panels; ++panel)
      for (long k = 0; k < K; k += BLOCK_TERMS<P>) some(panel, k, part(k));
    return;
  }
  for (long k = 0; k < K; k += BLOCK_TERMS<P>) {
    long panel = 0;
    const auto few = [&](auto multiply_some) {
      panel = multiply_some(rows, stride, packed, panel, panels, K, k, part(k), sums, sums_stride, add || k > 0);
    };
    if (count == 1) few(multiply_few<P, C, 1, 4>), few(multiply_few<P, C, 1, 2>);
    if (count == 2) few(multiply_few<P, C, 2, 2>);
    if (count == 3) few(multiply_few<P, C, 3, 2>);
    for (; panel < panels; ++panel) some(panel, k, part(k));
  }
}

inline void store_one(float* to, float value) { *to = value; }
inline void store_one(double* to, double value) { *to = value; }
inline void store_one(bfloat16* to, float value) { *to = narrow(value); }

}  // namespace

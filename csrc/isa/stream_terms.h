// What a streamed product is made of, for each type of packed weights: what is stored, and what a row of numbers is made
// into before it meets them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "product.h"

#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
#define UNROLLED_NARROW  // products of bfloat16 and of int8 numbers are instructions
#endif

namespace {

typedef std::uint8_t Bytes __attribute__((vector_size(VECTOR_BYTES / 4)));
typedef std::int8_t SignedBytes __attribute__((vector_size(VECTOR_BYTES / 4)));

struct Plain {  // float32
  typedef float Weight;
  typedef float Entry;
  static constexpr int COUNT = 1;
  static constexpr bool SCALED = false, CONVERTED = false;
  typedef Vector<float> Sum;
  static Sum add(Sum sum, Vector<float> h, const Weight* w) { return sum + h * load(w); }
  static Vector<float> same(const Entry* h) { return all(*h); }
};

struct Halved {  // bfloat16
  typedef bfloat16 Weight;
  static constexpr bool SCALED = false;
  typedef Vector<float> Sum;
#if defined(UNROLLED_NARROW)
  typedef bfloat16 Entry;
  static constexpr int COUNT = 2;
  static constexpr bool CONVERTED = true;
  static Sum add(Sum sum, __m512bh h, const Weight* w) {
    return (Sum)_mm512_dpbf16_ps((__m512)sum, h, (__m512bh)_mm512_loadu_si512(w));
  }
  static __m512bh same(const Entry* h) {
    std::int32_t pair;
    std::memcpy(&pair, h, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
  }
#else
  typedef float Entry;  // without the instruction, the weights are widened as they are read
  static constexpr int COUNT = 1;
  static constexpr bool CONVERTED = false;
  static Sum add(Sum sum, Vector<float> h, const Weight* w) { return sum + h * load(w); }
  static Vector<float> same(const Entry* h) { return all(*h); }
#endif
};

struct Quartered {  // int8, and a scale for each row of the matrix
  typedef std::int8_t Weight;
  static constexpr bool SCALED = true;
#if defined(UNROLLED_NARROW)
  // One instruction multiplies four bytes without a sign by four with one: rows are quantised too, with a scale for
  // each row and step, and 128 is added; what that adds to a sum is known from the weights alone.
  typedef std::uint8_t Entry;
  static constexpr int COUNT = 4;
  static constexpr bool CONVERTED = true;
  typedef Whole<float> Sum;
  static Sum add(Sum sum, __m512i h, const Weight* w) {
    return (Sum)_mm512_dpbusd_epi32((__m512i)sum, h, _mm512_loadu_si512(w));
  }
  static __m512i same(const Entry* h) {
    std::int32_t four;
    std::memcpy(&four, h, sizeof four);
    return _mm512_set1_epi32(four);
  }
#else
  typedef float Entry;
  static constexpr int COUNT = 1;
  static constexpr bool CONVERTED = false;
  typedef Vector<float> Sum;
  static Sum add(Sum sum, Vector<float> h, const Weight* w) {
    SignedBytes narrow;
    std::memcpy(&narrow, w, sizeof narrow);
    return sum + h * __builtin_convertvector(__builtin_convertvector(narrow, Whole<float>), Vector<float>);
  }
  static Vector<float> same(const Entry* h) { return all(*h); }
#endif
};

// As far ahead of the weights in use, memory is asked for the next ones: in bytes.
constexpr long AHEAD = 2048;

// R rows of entries times PART vectors of columns of a panel that has NV.
template <class Type, int R, int PART, int NV>
inline void stream_product(const typename Type::Entry* rows, long stride, const typename Type::Weight* panel, long K,
                           typename Type::Sum (&sum)[R][PART]) {
  constexpr long VECTOR = long(LANES<float>) * Type::COUNT, LINES = PART * VECTOR * long(sizeof(typename Type::Weight)) / 64;
  for (long k = 0; k < K; k += Type::COUNT, panel += NV * VECTOR) {
#pragma GCC unroll 8
    for (int line = 0; line < int(LINES); ++line)
      __builtin_prefetch(reinterpret_cast<const char*>(panel) + AHEAD + line * 64);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto h = Type::same(rows + r * stride + k);
#pragma GCC unroll 8
      for (int v = 0; v < PART; ++v) sum[r][v] = Type::add(sum[r][v], h, panel + v * VECTOR);
    }
  }
}

// Rows of numbers as the product wants them.
template <class Type>
struct StreamRows {
  typedef typename Type::Entry Entry;
  static constexpr int L = LANES<float>;

  const Entry* entries;
  long stride;
  const float* scales;  // one each, where they were quantised

  // `count` rows of K numbers, `stride` apart, as entries: where they stand already, or in `room`.
  static StreamRows of(const float* from, long stride, long count, long K, Entry* room, float* scales) {
    if constexpr (!Type::CONVERTED) return {from, stride, nullptr};
    else {
      const long wide = round_up(K, 64);
      for (long r = 0; r < count; ++r) convert(from + r * stride, K, room + r * wide, scales + r);
      return {room, wide, scales};
    }
  }

#if defined(UNROLLED_NARROW)
  static void convert(const float* from, long K, bfloat16* to, float*) {
    for (long k = 0; k < K; k += L) {
      const int count = int(std::min<long>(L, K - k));
      store(to + k, load<float>(from + k, count));  // the room is filled up to a multiple of L
    }
  }

  static void convert(const float* from, long K, std::uint8_t* to, float* scale) {
    Vector<float> most{}, odd{};
    for (long k = 0; k < K; k += L) {
      const Vector<float> v = load<float>(from + k, int(std::min<long>(L, K - k)));
      const Vector<float> size = v < 0 ? -v : v;
      most = size > most ? size : most;
      odd += v * 0;  // NaN where a number is not finite: then so is the scale, and all that is made of the row
    }
    float greatest = 0, spoilt = 0;
    for (int lane = 0; lane < L; ++lane) greatest = std::max(greatest, most[lane]), spoilt += odd[lane];
    *scale = greatest / 127 + spoilt;
    const float inverse = greatest > 1e-30f && greatest < 3e38f ? 127 / greatest : 0;
    for (long k = 0; k < K; k += L) {
      const Vector<float> v = load<float>(from + k, int(std::min<long>(L, K - k)));
      // Adding 1.5 · 2^23 rounds to a whole number, which then stands in the lowest bits.
      const Vector<float> shifted = v * inverse + 12582912.0f;
      Whole<float> bits;
      std::memcpy(&bits, &shifted, sizeof bits);
      const Bytes narrow = __builtin_convertvector(bits + 128, Bytes);
      std::memcpy(to + k, &narrow, sizeof narrow);
    }
  }
#endif
};

}  // namespace

// Cells fed step by step, from weights that were packed once.
//
// With one row, or a few, a step costs what reading the weights costs. So they are read once, from first to last: a
// panel holds all that BLOCKS vectors of units need, the input's terms and then the state's, and its sums go into the
// cell's step without leaving the registers. Narrower weights are less to read.
//
// Where steps are known beforehand, the input's part is made for many of them at once, which reads U once for all.
// Threads share the units, and meet once a step. Nothing is allocated but once a thread, for the most that it has needed.
#pragma once

#include <cmath>

#include "../stream.h"
#include "sequence.h"

#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
#define UNROLLED_NARROW  // products of bfloat16 and of int8 numbers are instructions
#endif

namespace {

using unrolled::Stream;
using unrolled::StreamWeights;

typedef std::uint8_t Bytes __attribute__((vector_size(VECTOR_BYTES / 4)));
typedef std::int8_t SignedBytes __attribute__((vector_size(VECTOR_BYTES / 4)));

// --- the terms of a product, for each type of packed weights: what is stored, and what a row is made into first ---

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

// R rows of entries times a panel of NV vectors of columns.
template <class Type, int R, int NV>
inline void stream_product(const typename Type::Entry* rows, long stride, const typename Type::Weight* panel, long K,
                           typename Type::Sum (&sum)[R][NV]) {
  constexpr long STEP = long(NV) * LANES<float> * Type::COUNT;
  for (long k = 0; k < K; k += Type::COUNT, panel += STEP) {
#pragma GCC unroll 8
    for (int line = 0; line < int(STEP * long(sizeof(typename Type::Weight)) / 64); ++line)
      __builtin_prefetch(reinterpret_cast<const char*>(panel) + AHEAD + line * 64);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto h = Type::same(rows + r * stride + k);
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) sum[r][v] = Type::add(sum[r][v], h, panel + v * LANES<float> * Type::COUNT);
    }
  }
}

// Room that stays with the thread that calls, so that no step allocates.
inline char* room_of(long bytes) {
  thread_local std::unique_ptr<Buffer<char>> room;
  thread_local long held = 0;
  if (!room || bytes > held) {
    room.reset();
    room = std::make_unique<Buffer<char>>(bytes);
    held = bytes;
  }
  return room->get();
}

template <class Cell, class Type>
struct Streaming {
  typedef typename Type::Weight Weight;
  typedef typename Type::Entry Entry;
  typedef typename Type::Sum Sum;
  static constexpr int G = Cell::GATES, STATES = Cell::STATES, L = LANES<float>, COUNT = Type::COUNT;
  // As many sums as registers hold beside one row's entry, for a sum can only be added to again some cycles later.
  static constexpr int BLOCKS = std::max(1, (REGISTERS == 32 ? 8 : 4) / G);
  static constexpr int NV = BLOCKS * G;
  static constexpr int MOST_ROWS = std::max(1, (REGISTERS == 32 ? 24 : 12) / NV);
  // Rows of input whose part of the sums is made at once, at most, but for the rows of one step.
  static constexpr long ROWS_AT_ONCE = 48;
  // Below so many bytes of weights a step, a second thread costs more than it brings.
  static constexpr long WORTH = 1 << 20;

  // --- the packed weights: the panels, then what each column has of its own ---

  struct Layout {
    long F, H;
    long panels, columns;             // columns: panels · NV · L
    long terms_F, terms_H;            // with the last group filled
    long panel;                       // weights in one
    long bias, scales, shifts, extra, bytes;  // where they begin
    Layout(long F_, long H_) : F(F_), H(H_) {
      panels = round_up(H, long(BLOCKS) * L) / (BLOCKS * L);
      columns = panels * NV * L;
      terms_F = round_up(F, COUNT);
      terms_H = round_up(H, COUNT);
      panel = (terms_F + terms_H) * NV * L;
      bias = round_up(panels * panel * long(sizeof(Weight)), 64);
      scales = bias + columns * 4;                        // of U, then of W
      shifts = scales + (Type::SCALED ? 2 * columns * 4 : 0);  // likewise
      extra = shifts + (Type::SCALED && Type::CONVERTED ? 2 * columns * 4 : 0);
      bytes = extra + Cell::EXTRA * panels * BLOCKS * L * 4;
    }
  };

  static long packed_bytes(long F, long H) { return Layout(F, H).bytes; }

  // One row of U or W, of K terms, as column (v, lane) of its panel.
  static void pack_row(Weight* panel, const float* row, long K, int v, int lane, float* scale, std::int32_t* shift) {
    const auto place = [&](long k) { return panel + ((k / COUNT * NV + v) * L + lane) * COUNT + k % COUNT; };
    if constexpr (!Type::SCALED) {
      for (long k = 0; k < K; ++k) store_one(place(k), row[k]);
    } else {
      float most = 0, spoilt = 0;
      for (long k = 0; k < K; ++k) most = std::max(most, std::fabs(row[k])), spoilt += row[k] * 0;
      *scale = most / 127 + spoilt;  // NaN where a weight is not finite: then so is all that comes of it
      std::int32_t sum = 0;
      if (*scale > 1e-30f)
        for (long k = 0; k < K; ++k) sum += *place(k) = std::int8_t(std::lrintf(row[k] / *scale));
      if constexpr (Type::CONVERTED) *shift = 128 * sum;
    }
  }

  static void pack(const StreamWeights& p, void* packed) {
    const Layout at(p.F, p.H);
    char* to = static_cast<char*>(packed);
    std::memset(to, 0, at.bytes);
    float* bias = reinterpret_cast<float*>(to + at.bias);
    float* scales = reinterpret_cast<float*>(to + at.scales);
    std::int32_t* shifts = reinterpret_cast<std::int32_t*>(to + at.shifts);
    float* extra = reinterpret_cast<float*>(to + at.extra);
    for (long unit = 0; unit < p.H; ++unit) {
      const long panel = unit / (BLOCKS * L);
      const int block = int(unit / L % BLOCKS), lane = int(unit % L);
      Weight* weights = reinterpret_cast<Weight*>(to) + panel * at.panel;
      for (int g = 0; g < G; ++g) {
        const int v = block * G + g;
        const long row = g * p.H + unit, column = (panel * NV + v) * L + lane;
        if (p.b) bias[column] = p.b[row];
        if (p.F) pack_row(weights, p.U + row * p.F, p.F, v, lane, scales + column, shifts + column);
        pack_row(weights + at.terms_F * NV * L, p.W + row * p.H, p.H, v, lane, scales + at.columns + column,
                 shifts + at.columns + column);
      }
      for (int e = 0; e < Cell::EXTRA; ++e) extra[e * at.panels * BLOCKS * L + unit] = p.extra[e][unit];
    }
  }

  // --- rows as the product wants them ---

  // `count` rows of K numbers, `stride` apart, as entries; returns their places, and the distance between them.
  struct Rows {
    const Entry* entries;
    long stride;
    const float* scales;  // one each, where they were quantised
  };

  static Rows entries(const float* from, long stride, long count, long K, Entry* room, float* scales) {
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

  // --- one call ---

  const Stream& p;
  const Layout at;
  const long H = p.H, B = p.B, T = p.T, F = p.F;
  const long wide = at.panels * BLOCKS * L;
  const long steps = std::min<long>(T, std::max<long>(1, ROWS_AT_ONCE / std::max<long>(1, B)));  // at once
  const float* bias = at_float(at.bias);
  const float* scales = at_float(at.scales);
  const std::int32_t* shifts = reinterpret_cast<const std::int32_t*>(at_float(at.shifts));
  const float* extra = at_float(at.extra);

  explicit Streaming(const Stream& stream) : p(stream), at(stream.F, stream.H) {}

  const float* at_float(long place) const {
    return reinterpret_cast<const float*>(static_cast<const char*>(p.packed) + place);
  }

  // What all threads share: h after this step and after the last one, the other leaves, and the input's part of the sums.
  struct Shared {
    float* h[2];             // (B, wide)
    float* leaf[STATES];     // (B, wide), from 1 on
    float* came_in;          // (steps · B, columns)
  };

  // What a thread has of its own, where rows are not entries as they are: their entries, and a scale for each.
  struct Own {
    Entry* entries;
    float* scales;
  };
  const long own_rows = Type::CONVERTED ? std::max(F ? steps * B : 0, B) : 0;
  const long entry_bytes = own_rows * round_up(std::max(F, H), 64) * long(sizeof(Entry));
  const long own_bytes = entry_bytes + round_up(own_rows * 4, 64);

  // The sums of one tile, made into numbers: what entry `which` (0: U, 1: W) of the packed scales says.
  template <int R>
  void settle(const Sum (&sum)[R][NV], long panel, int which, [[maybe_unused]] const float* row_scales, float* to) const {
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < NV; ++v) {
        [[maybe_unused]] const long column = which * at.columns + (panel * NV + v) * L;
        Vector<float> value;
        if constexpr (Type::SCALED && Type::CONVERTED) {
          Sum shift;
          std::memcpy(&shift, shifts + column, sizeof shift);
          value = __builtin_convertvector(sum[r][v] - shift, Vector<float>) * row_scales[r] * load(scales + column);
        } else if constexpr (Type::SCALED) {
          value = sum[r][v] * load(scales + column);
        } else {
          value = sum[r][v];
        }
        store(to + (r * NV + v) * L, value);
      }
  }

  // `count` ≤ MOST_ROWS rows times one panel's part: count × NV × L numbers.
  template <int R = MOST_ROWS>
  __attribute__((noinline)) void multiply(int count, const Rows& rows, long first, const Weight* weights, long terms, long panel,
                                          int which, float* to) const {
    if constexpr (R > 1) {
      if (count < R) return multiply<R - 1>(count, rows, first, weights, terms, panel, which, to);
    }
    Sum sum[R][NV] = {};
    stream_product<Type, R, NV>(rows.entries + first * rows.stride, rows.stride, weights, terms, sum);
    settle<R>(sum, panel, which, rows.scales ? rows.scales + first : nullptr, to);
  }

  const Weight* weights_of(long panel) const { return static_cast<const Weight*>(p.packed) + panel * at.panel; }

  // The input's part of the sums of `count` steps from t on, for these panels.
  void take_in(long t, long count, Share panels, const Shared& shared, const Own& own) const {
    const long rows = count * B;
    if (!F) return;
    const Rows x = entries(p.x + t * B * F, F, rows, F, own.entries, own.scales);
    alignas(64) float sums[MOST_ROWS * NV * L];
    for (long panel = panels.first; panel < panels.end; ++panel) {
      for (long first = 0; first < rows; first += MOST_ROWS) {
        const int some = int(std::min<long>(MOST_ROWS, rows - first));
        multiply(some, x, first, weights_of(panel), at.terms_F, panel, 0, sums);
        for (int r = 0; r < some; ++r)
          for (int v = 0; v < NV; ++v) {
            const long column = (panel * NV + v) * L;
            store(shared.came_in + (first + r) * at.columns + column,
                  load(sums + (r * NV + v) * L) + load(bias + column));
          }
      }
    }
  }

  void step(long t, long since, Share panels, const Shared& shared, const Own& own) const {
    const float* now = shared.h[t % 2];
    float* next = shared.h[(t + 1) % 2];
    const Rows h = entries(now, wide, B, H, own.entries, own.scales);
    alignas(64) float sums[MOST_ROWS * NV * L];
    for (long panel = panels.first; panel < panels.end; ++panel)
      for (long first = 0; first < B; first += MOST_ROWS) {
        const int some = int(std::min<long>(MOST_ROWS, B - first));
        multiply(some, h, first, weights_of(panel) + at.terms_F * NV * L, at.terms_H, panel, 1, sums);
        for (int r = 0; r < some; ++r)
          for (int block = 0; block < BLOCKS; ++block) {
            const long unit = (panel * BLOCKS + block) * L;
            if (unit >= H) break;
            unit_step(t, since, first + r, panel, block, sums + (r * NV + block * G) * L, now, next, shared);
          }
      }
  }

  // One vector of units of one row.
  void unit_step(long t, long since, long row, long panel, int block, const float* sums, const float* now, float* next,
                 const Shared& shared) const {
    const long unit = (panel * BLOCKS + block) * L;
    const int count = int(std::min<long>(L, H - unit));
    Vector<float> came_in[G], came_round[G], own[Cell::EXTRA + 1], before[STATES], after[STATES], kept[Cell::SAVED + 1];
    for (int g = 0; g < G; ++g) {
      came_round[g] = load(sums + g * L);
      if (F) came_in[g] = load(shared.came_in + (since * B + row) * at.columns + (panel * NV + block * G + g) * L);
      else came_in[g] = load<float>(p.table + (p.symbols[t * B + row] * G + g) * H + unit, count);
    }
    for (int e = 0; e < Cell::EXTRA; ++e) own[e] = load(extra + e * wide + unit);
    before[0] = load(now + row * wide + unit);
    for (int s = 1; s < STATES; ++s) before[s] = load(shared.leaf[s] + row * wide + unit);
    Cell::forward(came_in, came_round, before, own, after, kept);
    store(next + row * wide + unit, after[0]);
    for (int s = 1; s < STATES; ++s) store(shared.leaf[s] + row * wide + unit, after[s]);
    store<float>(p.output + (t * B + row) * H + unit, after[0], count);
  }

  struct Call {
    const Streaming& streaming;
    const Shared& shared;
    char* own;
    Barrier barrier;
  };

  static void work(void* context, int member, int members) {
    Call& call = *static_cast<Call*>(context);
    const Streaming& self = call.streaming;
    const Flush flush;
    const Share panels = Share::of(self.at.panels, member, members);
    char* room = call.own + member * self.own_bytes;
    const Own own{reinterpret_cast<Entry*>(room), reinterpret_cast<float*>(room + self.entry_bytes)};
    for (long t = 0; t < self.T; t += self.steps) {
      const long count = std::min(self.steps, self.T - t);
      self.take_in(t, count, panels, call.shared, own);
      for (long since = 0; since < count; ++since) {
        self.step(t + since, since, panels, call.shared, own);
        call.barrier.wait(members);
      }
    }
  }

  static void run(const Stream& p) {
    const Streaming self(p);
    const long worth = self.at.bias / WORTH;
    const int members = int(std::clamp<long>(worth, 1, std::min<long>(p.threads, self.at.panels)));
    const long state = p.B * self.wide, came_in = p.F ? self.steps * p.B * self.at.columns : 0;
    char* room = room_of(((STATES + 1) * state + came_in) * 4 + members * self.own_bytes);
    float* numbers = reinterpret_cast<float*>(room);
    Shared shared;
    shared.h[0] = numbers, shared.h[1] = numbers + state;
    for (int s = 1; s < STATES; ++s) shared.leaf[s] = numbers + (s + 1) * state;
    shared.came_in = numbers + (STATES + 1) * state;
    // What lies past H in a row meets weights that are zero; but NaN times zero is NaN.
    std::memset(static_cast<void*>(room), 0, (STATES + 1) * state * 4);
    for (long b = 0; b < p.B; ++b) {
      std::memcpy(shared.h[0] + b * self.wide, p.start[0] + b * p.H, p.H * 4);
      for (int s = 1; s < STATES; ++s) std::memcpy(shared.leaf[s] + b * self.wide, p.start[s] + b * p.H, p.H * 4);
    }
    Call call{self, shared, reinterpret_cast<char*>(shared.came_in + came_in), {}};
    together(members, work, &call);
    for (long b = 0; b < p.B; ++b) {
      std::memcpy(p.last[0] + b * p.H, shared.h[p.T % 2] + b * self.wide, p.H * 4);
      for (int s = 1; s < STATES; ++s) std::memcpy(p.last[s] + b * p.H, shared.leaf[s] + b * self.wide, p.H * 4);
    }
  }
};

}  // namespace

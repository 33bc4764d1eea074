// Cells fed step by step, from weights that were packed once.
//
// With one row, or a few, a step costs what reading the weights costs. So they are read once, from first to last: a
// panel holds all that BLOCKS vectors of units need, the input's terms and then the state's, and its sums go into the
// cell's step without leaving the registers. Narrower weights are less to read.
//
// Where steps are known beforehand, the input's part is made for many of them at once, which reads U once for all.
// Threads share the units, and meet once a step. Nothing is allocated but once a thread, for the most that it has needed.
#pragma once

#include "../stream.h"
#include "sequence.h"
#include "stream_panels.h"

namespace {

using unrolled::Stream;

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
  typedef StreamPanels<Cell, Type> Panels;
  typedef typename Panels::Layout Layout;
  typedef typename Type::Weight Weight;
  typedef typename Type::Entry Entry;
  typedef typename Type::Sum Sum;
  typedef StreamRows<Type> Rows;
  static constexpr int G = Cell::GATES, STATES = Cell::STATES, L = LANES<float>;
  static constexpr int BLOCKS = Panels::BLOCKS, NV = Panels::NV;
  // Rows whose sums of a whole panel fit the registers; of half of one, twice as many do.
  static constexpr int FULL_ROWS = std::max(1, (REGISTERS == 32 ? 24 : 12) / NV);
  static constexpr int MOST_ROWS = NV % 2 ? FULL_ROWS : 2 * FULL_ROWS;
  // Rows of input whose part of the sums is made at once, at most, but for the rows of one step.
  static constexpr long ROWS_AT_ONCE = 48;
  // Below so many bytes of weights a step, a second thread costs more than it brings.
  static constexpr long WORTH = 1 << 20;

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

  // The sums of one tile, from vector `from` of the panel on, made into numbers: what entry `which` (0: U, 1: W) of the
  // packed scales says.
  template <int R, int PART>
  void settle(const Sum (&sum)[R][PART], int from, long panel, int which, [[maybe_unused]] const float* row_scales,
              float* to) const {
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < PART; ++v) {
        [[maybe_unused]] const long column = which * at.columns + (panel * NV + from + v) * L;
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
        store(to + (r * NV + from + v) * L, value);
      }
  }

  // `count` ≤ MOST_ROWS rows times one panel's part: count × NV × L numbers.
  template <int R = MOST_ROWS>
  __attribute__((noinline)) void multiply(int count, const Rows& rows, long first, const Weight* weights, long terms, long panel,
                                          int which, float* to) const {
    if constexpr (R > 1) {
      if (count < R) return multiply<R - 1>(count, rows, first, weights, terms, panel, which, to);
    }
    constexpr int PART = R > FULL_ROWS ? NV / 2 : NV;
    for (int from = 0; from < NV; from += PART) {
      Sum sum[R][PART] = {};
      stream_product<Type, R, PART, NV>(rows.entries + first * rows.stride, rows.stride,
                                        weights + from * L * Type::COUNT, terms, sum);
      settle<R, PART>(sum, from, panel, which, rows.scales ? rows.scales + first : nullptr, to);
    }
  }

  const Weight* weights_of(long panel) const { return static_cast<const Weight*>(p.packed) + panel * at.panel; }

  // The input's part of the sums of `count` steps from t on, for these panels.
  void take_in(long t, long count, Share panels, const Shared& shared, const Own& own) const {
    const long rows = count * B;
    if (!F) return;
    const Rows x = Rows::of(p.x + t * B * F, F, rows, F, own.entries, own.scales);
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
    const Rows h = Rows::of(now, wide, B, H, own.entries, own.scales);
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

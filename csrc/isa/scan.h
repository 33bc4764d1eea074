// The scan of a diagonal linear recurrence: one pass over time, forward, and one, the other way, for all its gradients.
//
// It reads each number once and writes each once, which is all that it waits for: a step's numbers are vectors side by
// side, whose multiply-adds do not wait for each other. Threads share the columns, or the rows.
#pragma once

#include "../scan.h"
#include "sequence.h"

namespace {

using unrolled::Scan;

// Numbers that stand as C, in pairs (real part, imaginary part) where they are complex.
template <class C, bool COMPLEX>
struct Arithmetic {
  static constexpr long PARTS = 1;
  static Vector<C> multiply(Vector<C> a, Vector<C> h) { return a * h; }
  static Vector<C> conjugate(Vector<C> a) { return a; }
};

template <class C>
struct Arithmetic<C, true> {
  static constexpr long PARTS = 2;

  // Lane for lane: what stands in the lanes that `from` names, one for each pair.
  template <class From>
  static Vector<C> moved(Vector<C> v, From from) {
    Vector<C> to;
    for (int lane = 0; lane < LANES<C>; ++lane) to[lane] = v[from(lane)];
    return to;
  }

  static Vector<C> signs(C even, C odd) {
    Vector<C> v;
    for (int lane = 0; lane < LANES<C>; ++lane) v[lane] = lane % 2 ? odd : even;
    return v;
  }

  static Vector<C> multiply(Vector<C> a, Vector<C> h) {
    const Vector<C> real = moved(a, [](int lane) { return lane & ~1; }), imaginary = moved(a, [](int lane) { return lane | 1; });
    const Vector<C> turned = moved(h, [](int lane) { return lane ^ 1; }) * signs(-1, 1);  // i h
    return real * h + imaginary * turned;
  }

  static Vector<C> conjugate(Vector<C> a) { return a * signs(1, -1); }
};

template <class C, bool COMPLEX>
struct Scanning {
  typedef Arithmetic<C, COMPLEX> A;
  static constexpr int L = LANES<C>;
  // Numbers of a thread's own below which a second thread costs more than it brings.
  static constexpr long WORTH = 32768;

  const Scan& p;
  const long width = p.columns * A::PARTS;  // of a row, as C
  const long step = p.rows * width;         // of a time
  const C* a = static_cast<const C*>(p.a);
  const C* a_at(long t, long row) const { return a + (t * p.a_time + row * p.a_row) * A::PARTS; }

  struct Part {
    Share rows, columns;  // columns as C
  };

  Part part(int member, int members) const {
    if (p.rows >= members) return {Share::of(p.rows, member, members), {0, width}};
    const long vectors = round_up(width, L) / L;
    const Share share = Share::of(vectors, member, members);
    return {{0, p.rows}, {share.first * L, std::min(share.end * L, width)}};
  }

  void forward(const Part& part) const {
    const C* b = static_cast<const C*>(p.b);
    C* every = static_cast<C*>(p.every);
    for (long row = part.rows.first; row < part.rows.end; ++row)
      std::memcpy(every + (p.reverse ? p.T : 0) * step + row * width + part.columns.first,
                  static_cast<const C*>(p.start) + row * width + part.columns.first,
                  sizeof(C) * (part.columns.end - part.columns.first));
    for (long s = 0; s < p.T; ++s) {
      const long t = p.reverse ? p.T - 1 - s : s;
      const C* before = every + (p.reverse ? t + 1 : t) * step;
      C* after = every + (p.reverse ? t : t + 1) * step;
      for (long row = part.rows.first; row < part.rows.end; ++row) {
        const C* a_t = a_at(t, row);
        const long place = row * width;
        long k = part.columns.first;
        for (; k + L <= part.columns.end; k += L)
          store(after + place + k, A::multiply(load(a_t + k), load(before + place + k)) + load(b + t * step + place + k));
        if (const int count = int(part.columns.end - k); count > 0)
          store<C>(after + place + k,
                   A::multiply(load<C>(a_t + k, count), load<C>(before + place + k, count)) +
                       load<C>(b + t * step + place + k, count),
                   count);
      }
    }
  }

  // One vector of one step, back in time. g: the gradient of the state after it, but for what reached that by this step.
  template <class Load, class Store>
  void back(const C* a_t, const C* before, const C* d_before, const C* g, C* d_a, C* d_b, C* carried, const Load& read,
            const Store& write) const {
    const Vector<C> all_of_it = read(g);
    write(d_b, all_of_it);
    if (d_a) write(d_a, A::multiply(A::conjugate(read(before)), all_of_it));
    write(carried, A::multiply(A::conjugate(read(a_t)), all_of_it) + read(d_before));
  }

  void backward(const Part& part) const {
    const C* every = static_cast<const C*>(p.every);
    const C* d_every = static_cast<const C*>(p.d_every);
    C* carried = static_cast<C*>(p.d_start);  // what reaches the state in hand; in the end, the start
    const auto whole = [](const C* from) { return load(from); };
    const auto put = [](C* to, Vector<C> v) { store(to, v); };
    for (long row = part.rows.first; row < part.rows.end; ++row)
      std::memcpy(carried + row * width + part.columns.first,
                  d_every + (p.reverse ? 0 : p.T) * step + row * width + part.columns.first,
                  sizeof(C) * (part.columns.end - part.columns.first));
    for (long s = 0; s < p.T; ++s) {
      const long t = p.reverse ? s : p.T - 1 - s;
      const long before = (p.reverse ? t + 1 : t) * step, at = t * step;
      for (long row = part.rows.first; row < part.rows.end; ++row) {
        const C* a_t = a_at(t, row);
        const long place = row * width;
        C* d_a = p.d_a ? static_cast<C*>(p.d_a) + at + place : nullptr;
        C* d_b = static_cast<C*>(p.d_b) + at + place;
        long k = part.columns.first;
        for (; k + L <= part.columns.end; k += L)
          back(a_t + k, every + before + place + k, d_every + before + place + k, carried + place + k,
               d_a ? d_a + k : nullptr, d_b + k, carried + place + k, whole, put);
        if (const int count = int(part.columns.end - k); count > 0)
          back(
              a_t + k, every + before + place + k, d_every + before + place + k, carried + place + k,
              d_a ? d_a + k : nullptr, d_b + k, carried + place + k,
              [count](const C* from) { return load<C>(from, count); },
              [count](C* to, Vector<C> v) { store<C>(to, v, count); });
      }
    }
  }

  template <bool FORWARD>
  static void work(void* context, int member, int members) {
    const Scanning& self = *static_cast<const Scanning*>(context);
    const Flush flush;
    const Part part = self.part(member, members);
    if (FORWARD) self.forward(part);
    else self.backward(part);
  }

  template <bool FORWARD>
  static void run(const Scan& p) {
    Scanning self{p};
    together(int(std::clamp<long>(p.T * self.step / WORTH, 1, p.threads)), work<FORWARD>, &self);
  }
};

}  // namespace

// The scan of a diagonal linear recurrence: one pass over time, forward, and one, the other way, for all its gradients.
//
// It reads each number once and writes each once, which is all that it waits for: a step's numbers are vectors side by
// side, whose multiply-adds do not wait for each other. Threads share the columns, or the rows. What is long is written
// past the caches (PAST): to write it into them, memory would be read first.
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
  // Bytes of one result from which on the caches have lost its beginning when its end is written.
  static constexpr long LONG = 8l << 20;

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

  // The state before step s of T, which is the one at time t.
  const C* before(long s, long t) const {
    if (s == 0) return static_cast<const C*>(p.start);
    return static_cast<const C*>(p.h) + (p.reverse ? t + 1 : t - 1) * step;
  }

  // Whether these may be written past the caches: from a vector's boundary on, and in whole vectors.
  bool past(std::initializer_list<const void*> results) const {
    bool may = p.T * step * long(sizeof(C)) >= LONG && width % L == 0;
    for (const void* result : results) may = may && reinterpret_cast<std::uintptr_t>(result) % VECTOR_BYTES == 0;
    return may;
  }

  // Calls one(place in a row, how to read, how to write, how to write a result) for each vector of these columns.
  template <bool PAST, class One>
  static void each(Share columns, const One& one) {
    long k = columns.first;
    const auto write = [](C* to, Vector<C> v) { store(to, v); };
    for (; k + L <= columns.end; k += L) one(k, [](const C* from) { return load(from); }, write, [&](C* to, Vector<C> v) {
      if constexpr (PAST) stream(to, v);
      else store(to, v);
    });
    if (const int count = int(columns.end - k); count > 0) {
      const auto some = [count](C* to, Vector<C> v) { store<C>(to, v, count); };
      one(k, [count](const C* from) { return load<C>(from, count); }, some, some);
    }
  }

  // PAST: the next step would have to fetch the state; so it stands in `kept` too.
  template <bool PAST>
  void forward(const Part& part) const {
    const Buffer<C> kept = Buffer<C>::unset(PAST ? step : 0);
    for (long s = 0; s < p.T; ++s) {
      const long t = p.reverse ? p.T - 1 - s : s;
      for (long row = part.rows.first; row < part.rows.end; ++row) {
        const C* a_t = a_at(t, row);
        const C* b_t = static_cast<const C*>(p.b) + t * step + row * width;
        const C* old = (PAST && s > 0 ? kept.get() : before(s, t)) + row * width;
        C* h = static_cast<C*>(p.h) + t * step + row * width;
        each<PAST>(part.columns, [&](long k, const auto& read, const auto& write, const auto& give) {
          const Vector<C> now = A::multiply(read(a_t + k), read(old + k)) + read(b_t + k);
          if (PAST) write(kept + (row * width + k), now);
          give(h + k, now);
        });
      }
    }
  }

  // g_t = ∂h_t + ā_{t+1} ∘ g_{t+1};  ∂b_t = g_t,  ∂a_t = g_t ∘ h̄_{t-1}
  template <bool PAST>
  void backward(const Part& part) const {
    const C* d_last = static_cast<const C*>(p.d_last);
    for (long row = part.rows.first; row < part.rows.end; ++row)
      each<false>(part.columns, [&](long k, const auto& read, const auto& write, const auto&) {
        const long place = row * width + k;
        write(static_cast<C*>(p.d_start) + place, d_last ? read(d_last + place) : Vector<C>{});
      });
    for (long s = p.T - 1; s >= 0; --s) {
      const long t = p.reverse ? p.T - 1 - s : s;
      for (long row = part.rows.first; row < part.rows.end; ++row) {
        const C* a_t = a_at(t, row);
        const C* old = before(s, t) + row * width;
        const C* d_h = static_cast<const C*>(p.d_h) + t * step + row * width;
        C* d_a = p.d_a ? static_cast<C*>(p.d_a) + t * step + row * width : nullptr;
        C* d_b = static_cast<C*>(p.d_b) + t * step + row * width;
        C* carried = static_cast<C*>(p.d_start) + row * width;  // ā g of the step after; in the end, of the first
        each<PAST>(part.columns, [&](long k, const auto& read, const auto& write, const auto& give) {
          const Vector<C> g = read(d_h + k) + read(carried + k);
          give(d_b + k, g);
          if (d_a) give(d_a + k, A::multiply(A::conjugate(read(old + k)), g));
          write(carried + k, A::multiply(A::conjugate(read(a_t + k)), g));
        });
      }
    }
  }

  template <bool FORWARD, bool PAST>
  static void work(void* context, int member, int members) {
    const Scanning& self = *static_cast<const Scanning*>(context);
    const Flush flush;
    const Part part = self.part(member, members);
    if (FORWARD) self.template forward<PAST>(part);
    else self.template backward<PAST>(part);
    if (PAST) settle();
  }

  template <bool FORWARD>
  static void run(const Scan& p) {
    Scanning self{p};
    const bool past = FORWARD ? self.past({p.h}) : self.past({p.d_a, p.d_b});
    together(
        int(std::clamp<long>(p.T * self.step / WORTH, 1, p.threads)), past ? work<FORWARD, true> : work<FORWARD, false>,
        &self);
  }
};

}  // namespace

// The vector operations of a program (../program.h): whole registers of numbers, one after the other.
#pragma once

#include <cmath>

#include "../program.h"
#include "vector.h"

namespace {

using unrolled::Instruction;
using unrolled::Operation;

// `count` numbers, a multiple of a vector's lanes.
template <class C, class F>
inline void each(long count, C* to, const C* a, F f) {
  for (long k = 0; k < count; k += LANES<C>) store(to + k, f(load(a + k)));
}

template <class C, class F>
inline void each(long count, C* to, const C* a, const C* b, F f) {
  for (long k = 0; k < count; k += LANES<C>) store(to + k, f(load(a + k), load(b + k)));
}

// One number at a time, for functions that cells rarely have.
template <class C, class F>
inline void singly(long count, C* to, const C* a, F f) {
  for (long k = 0; k < count; ++k) to[k] = f(a[k]);
}

// e^x over all of its range: up to infinity, and down to zero. Far out, which is rare, it is the square of a root.
template <class C>
inline void full_exponentials(long count, C* to, const C* a) {
  typedef Vector<C> V;
  const auto far = [](V x) { return x * x > 7569; };
  V farthest{};
  for (long k = 0; k < count; k += LANES<C>) {
    const V x = load(a + k);
    farthest = far(x) ? x : farthest;
  }
  bool any = false;
  for (int lane = 0; lane < LANES<C>; ++lane) any |= farthest[lane] != 0;
  if (!any) return each(count, to, a, [](V x) { return exponential(x); });
  each(count, to, a, [&](V x) {
    const V root = exponential(x * C(0.5));
    return far(x) ? root * root : exponential(x);
  });
}

template <class V>
inline V square_root(V x) {
  V root;
  for (unsigned lane = 0; lane < sizeof(V) / sizeof(x[0]); ++lane) root[lane] = std::sqrt(x[lane]);
  return root;
}

// What needs nothing but registers. `at` gives the place of a register.
template <class C, class At>
inline void operate(const Instruction& one, long count, At at) {
  typedef Vector<C> V;
  C* to = at(one.to);
  const C *a = at(one.a), *b = at(one.b), *c = at(one.c);
  const C x = C(one.x), y = C(one.y);
  switch (one.operation) {
    case Operation::fill: return each(count, to, to, [=](V) { return all(x); });
    case Operation::affine: return each(count, to, a, [=](V v) { return x * v + y; });
    case Operation::add: return each(count, to, a, b, [](V v, V w) { return v + w; });
    case Operation::subtract: return each(count, to, a, b, [](V v, V w) { return v - w; });
    case Operation::multiply: return each(count, to, a, b, [](V v, V w) { return v * w; });
    case Operation::divide: return each(count, to, a, b, [](V v, V w) { return v / w; });
    case Operation::maximum:
      return each(count, to, a, b, [](V v, V w) { return w != w ? w : v < w ? w : v; });
    case Operation::greater: return each(count, to, a, b, [](V v, V w) { return v > w ? all(C(1)) : V{}; });
    case Operation::equal: return each(count, to, a, b, [](V v, V w) { return v == w ? all(C(1)) : V{}; });
    case Operation::choose:
      for (long k = 0; k < count; k += LANES<C>) store(to + k, load(a + k) != 0 ? load(b + k) : load(c + k));
      return;
    case Operation::rectifier: return each(count, to, a, [](V v) { return v < 0 ? V{} : v; });
    case Operation::sigmoid: return each(count, to, a, [](V v) { return sigmoid(v); });
    case Operation::tangent: return each(count, to, a, [](V v) { return hyperbolic_tangent(v); });
    case Operation::exponential: return full_exponentials(count, to, a);
    case Operation::softplus: return each(count, to, a, [](V v) { return -log_sigmoid(-v); });
    case Operation::root: return each(count, to, a, [](V v) { return square_root(v); });
    case Operation::absolute: return each(count, to, a, [](V v) { return v < 0 ? -v : v; });
    case Operation::sign: return each(count, to, a, [](V v) { return v > 0 ? all(C(1)) : v < 0 ? all(C(-1)) : v; });
    case Operation::logarithm: return singly(count, to, a, [](C v) { return std::log(v); });
    case Operation::sine: return singly(count, to, a, [](C v) { return std::sin(v); });
    case Operation::cosine: return singly(count, to, a, [](C v) { return std::cos(v); });
    case Operation::sigmoid_gradient: return each(count, to, a, b, [](V d, V s) { return d * s * (1 - s); });
    case Operation::tangent_gradient: return each(count, to, a, b, [](V d, V h) { return d * (1 - h * h); });
    default: return;
  }
}

}  // namespace

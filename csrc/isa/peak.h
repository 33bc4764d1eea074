// The most that arithmetic alone can do: the products of product.h with nothing to read. Benchmarks hold what is done against it.
#pragma once

#include "../threads.h"
#include "product.h"

namespace {

// So many sums as a tile has, in registers, to each of which a product is added `rounds` times; gives their number of flops.
template <class S>
struct Peak {
  typedef typename Operand<S>::Computed C;
  typedef typename Operand<S>::Type P;
  typedef Terms<P> T;
  static constexpr int SUMS = TILE_ROWS * TILE_VECTORS;

  static void work(void* context, int, int) {
    const long rounds = *static_cast<long*>(context);
    P numbers[LANES<C> * T::COUNT];
    for (P& one : numbers) store_one(&one, C(0.5));
    const typename T::Pack h = T::same(numbers), w = T::weights(numbers);
    Vector<C> sums[SUMS];
    for (int s = 0; s < SUMS; ++s) sums[s] = all(C(s));  // or one sum would do for all
    for (long round = 0; round < rounds; ++round) {
#pragma GCC unroll 24
      for (int s = 0; s < SUMS; ++s) {
        // Where there is one term, what is multiplied is the sum: h ∘ w would be the same for all of them, and made once.
        if constexpr (T::COUNT == 1) sums[s] = sums[s] * w + h;
        else sums[s] = T::add(sums[s], h, w);
      }
    }
    volatile C seen = 0;  // or there would be nothing to do
    for (int s = 0; s < SUMS; ++s)
      for (int lane = 0; lane < LANES<C>; ++lane) seen = seen + sums[s][lane];
  }

  static double run(long rounds, int threads) {
    unrolled::together(threads, work, &rounds);
    return 2.0 * SUMS * LANES<C> * T::COUNT * double(rounds) * threads;
  }
};

}  // namespace

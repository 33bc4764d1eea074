// Weights in the order in which `multiply_rows` reads them (product.h): panels of TILE_VECTORS vectors of columns.
#pragma once

#include <algorithm>

#include "product.h"

namespace {

// One vector of a panel from rows of weights: its column `lane` is row `lane` of `from`, K terms long; `count` rows are there.
// Lanes without one are left as they are.
template <class P, class C>
inline void pack_rows(P* panel, int vector, const C* from, long stride, long K, long count) {
  constexpr long SOME = 128;  // terms whose places in the panel stay in the first cache from lane to lane
  for (long k0 = 0; k0 < K; k0 += SOME)
    for (int lane = 0; lane < std::min<long>(LANES<C>, count); ++lane)
      for (long k = k0; k < std::min(k0 + SOME, K); ++k)
        store_one(panel + panel_place<P, C>(k, vector, lane), from[lane * stride + k]);
}

// One vector of a panel from columns of weights: its column `lane` is column `lane` of `from`, K rows; `count` columns are there.
template <class P, class C>
inline void pack_columns(P* panel, int vector, const C* from, long stride, long K, long count) {
  const int lanes = int(std::min<long>(LANES<C>, count));
  for (long k = 0; k < K; ++k) {
    if constexpr (Terms<P>::COUNT == 1) {
      store<C>(panel + panel_place<P, C>(k, vector, 0), load<C>(from + k * stride, lanes), lanes);
    } else {
      for (int lane = 0; lane < lanes; ++lane)
        store_one(panel + panel_place<P, C>(k, vector, lane), from[k * stride + lane]);
    }
  }
}

}  // namespace

// Simple recurrent networks: the cells of src/unrolled/cells/elman.py, and IndRNN of small.py.
#pragma once

#include "../vector.h"

namespace {

enum class Squash { tangent, rectifier, sigmoid };

// h = φ(u + r)
template <Squash PHI>
struct Elman {
  static constexpr int GATES = 1, STATES = 1, SAVED = 0, EXTRA = 0;
  static constexpr bool PRODUCT = true, SAME_GRADIENT = true;

  template <class V>
  static void forward(const V* u, const V* r, const V*, const V*, V* after, V*) {
    const V a = u[0] + r[0];
    if constexpr (PHI == Squash::tangent) after[0] = hyperbolic_tangent(a);
    if constexpr (PHI == Squash::rectifier) after[0] = a > 0 ? a : a * 0;  // NaN stays NaN
    if constexpr (PHI == Squash::sigmoid) after[0] = sigmoid(a);
  }

  template <class V>
  static void backward(const V*, const V*, const V* after, const V*, const V* d_after, V* d_u, V*, V*,
                       V* d_before) {
    const V h = after[0];
    if constexpr (PHI == Squash::tangent) d_u[0] = d_after[0] * (1 - h * h);
    if constexpr (PHI == Squash::rectifier) d_u[0] = h > 0 ? d_after[0] : d_after[0] * 0;
    if constexpr (PHI == Squash::sigmoid) d_u[0] = d_after[0] * h * (1 - h);
    d_before[0] = V{};
  }
};


// h = max(0, u + w ∘ h).   Each unit sees no state but its own: no product.
struct IndRNN {
  static constexpr int GATES = 1, STATES = 1, SAVED = 0, EXTRA = 1;
  static constexpr bool PRODUCT = false, SAME_GRADIENT = true;

  template <class V>
  static void forward(const V* u, const V*, const V* before, const V* extra, V* after, V*) {
    const V a = u[0] + extra[0] * before[0];
    after[0] = a > 0 ? a : a * 0;
  }

  template <class V>
  static void backward(const V*, const V* before, const V* after, const V* extra, const V* d_after, V* d_u, V*,
                       V* d_extra, V* d_before) {
    d_u[0] = after[0] > 0 ? d_after[0] : d_after[0] * 0;
    d_extra[0] = d_u[0] * before[0];
    d_before[0] = d_u[0] * extra[0];
  }
};

}  // namespace

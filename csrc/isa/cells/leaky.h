// Leaky units: the cells of src/unrolled/cells/leaky.py.
#pragma once

#include "../vector.h"

namespace {

// C = tanh(u + r);  h = α ∘ h + (1 − α) ∘ C.   α is a weight of the unit's own, whoever made it.
struct Leaky {
  static constexpr int GATES = 1, STATES = 1, SAVED = 1, EXTRA = 1;
  static constexpr bool PRODUCT = true, SAME_GRADIENT = true;

  template <class V>
  static void forward(const V* u, const V* r, const V* before, const V* alpha, V* after, V* saved) {
    saved[0] = hyperbolic_tangent(u[0] + r[0]);
    after[0] = saved[0] + alpha[0] * (before[0] - saved[0]);
  }

  template <class V>
  static void backward(const V* saved, const V* before, const V*, const V* alpha, const V* d_after, V* d_u, V*,
                       V* d_alpha, V* d_before) {
    d_u[0] = d_after[0] * (1 - alpha[0]) * (1 - saved[0] * saved[0]);
    d_alpha[0] = d_after[0] * (before[0] - saved[0]);
    d_before[0] = d_after[0] * alpha[0];
  }
};

// α = σ(u + r);  C = tanh(u + r);  h = α ∘ h + (1 − α) ∘ C.   Blocks: keep, candidate.
struct GatedLeaky {
  static constexpr int GATES = 2, STATES = 1, SAVED = 2, EXTRA = 0;
  static constexpr bool PRODUCT = true, SAME_GRADIENT = true;

  template <class V>
  static void forward(const V* u, const V* r, const V* before, const V*, V* after, V* saved) {
    saved[0] = sigmoid(u[0] + r[0]);
    saved[1] = hyperbolic_tangent(u[1] + r[1]);
    after[0] = saved[1] + saved[0] * (before[0] - saved[1]);
  }

  template <class V>
  static void backward(const V* saved, const V* before, const V*, const V*, const V* d_after, V* d_u, V*, V*,
                       V* d_before) {
    const V alpha = saved[0], candidate = saved[1];
    d_u[0] = d_after[0] * (before[0] - candidate) * alpha * (1 - alpha);
    d_u[1] = d_after[0] * (1 - alpha) * (1 - candidate * candidate);
    d_before[0] = d_after[0] * alpha;
  }
};

}  // namespace

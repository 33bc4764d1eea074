// The gated recurrent unit of src/unrolled/cells/gru.py, reset after the product.
#pragma once

#include "../vector.h"

namespace {

// r, z = σ(u + r);  h̃ = tanh(u + r ∘ (r_c + b_h));  h = z ∘ h + (1 − z) ∘ h̃.   Blocks: reset, update, candidate.
struct GRU {
  static constexpr int GATES = 3, STATES = 1, SAVED = 4, EXTRA = 1;
  static constexpr bool PRODUCT = true, SAME_GRADIENT = false;

  template <class V>
  static void forward(const V* u, const V* r, const V* before, const V* extra, V* after, V* saved) {
    saved[0] = sigmoid(u[0] + r[0]);
    saved[1] = sigmoid(u[1] + r[1]);
    saved[3] = r[2] + extra[0];
    saved[2] = hyperbolic_tangent(u[2] + saved[0] * saved[3]);
    after[0] = saved[2] + saved[1] * (before[0] - saved[2]);
  }

  template <class V>
  static void backward(const V* saved, const V* before, const V*, const V*, const V* d_after, V* d_u, V* d_r,
                       V* d_extra, V* d_before) {
    const V reset = saved[0], z = saved[1], candidate = saved[2];
    d_u[2] = d_after[0] * (1 - z) * (1 - candidate * candidate);
    d_u[1] = d_after[0] * (before[0] - candidate) * z * (1 - z);
    d_u[0] = d_u[2] * saved[3] * reset * (1 - reset);
    d_r[0] = d_u[0];
    d_r[1] = d_u[1];
    d_r[2] = d_u[2] * reset;
    d_extra[0] = d_r[2];
    d_before[0] = d_after[0] * z;
  }
};

}  // namespace

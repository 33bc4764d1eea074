// The cells: what one step does with a vector of units. One struct each.
//
// A struct says how many gate blocks it has (GATES), how many state leaves (STATES; leaf 0 is h, which enters the
// recurrent product), how many vectors a unit it keeps for the backward pass (SAVED), how many weights of its own a
// unit has beside the product (EXTRA), and whether the product's gradient is that of the input (SAME_GRADIENT).
//   forward:  u, r (what came in, what came round) and the state before → the state after, and what is kept
//   backward: the gradient of the state after → of u, of r, of the weights of its own, and of the state before but for
//             what goes by the product
#pragma once

#include "vector.h"

namespace {

enum class Squash { tangent, rectifier, sigmoid };

// h = φ(u + r)
template <Squash PHI>
struct Elman {
  static constexpr int GATES = 1, STATES = 1, SAVED = 0, EXTRA = 0;
  static constexpr bool SAME_GRADIENT = true;

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

// i, f, o = σ(u + r);  c̃ = tanh(u + r);  c = f ∘ c + i ∘ c̃;  h = o ∘ tanh c.   Blocks: input, forget, candidate, output.
struct LSTM {
  static constexpr int GATES = 4, STATES = 2, SAVED = 4, EXTRA = 0;
  static constexpr bool SAME_GRADIENT = true;

  template <class V>
  static void forward(const V* u, const V* r, const V* before, const V*, V* after, V* saved) {
    saved[0] = sigmoid(u[0] + r[0]);
    saved[1] = sigmoid(u[1] + r[1]);
    saved[2] = hyperbolic_tangent(u[2] + r[2]);
    saved[3] = sigmoid(u[3] + r[3]);
    after[1] = saved[1] * before[1] + saved[0] * saved[2];
    after[0] = saved[3] * hyperbolic_tangent(after[1]);
  }

  template <class V>
  static void backward(const V* saved, const V* before, const V* after, const V*, const V* d_after, V* d_u, V*,
                       V*, V* d_before) {
    const V i = saved[0], f = saved[1], g = saved[2], o = saved[3];
    const V squashed = hyperbolic_tangent(after[1]);
    const V d_c = d_after[1] + d_after[0] * o * (1 - squashed * squashed);
    d_u[0] = d_c * g * i * (1 - i);
    d_u[1] = d_c * before[1] * f * (1 - f);
    d_u[2] = d_c * i * (1 - g * g);
    d_u[3] = d_after[0] * squashed * o * (1 - o);
    d_before[0] = V{};
    d_before[1] = d_c * f;
  }
};

// r, z = σ(u + r);  h̃ = tanh(u + r ∘ (r_c + b_h));  h = z ∘ h + (1 − z) ∘ h̃.   Blocks: reset, update, candidate.
struct GRU {
  static constexpr int GATES = 3, STATES = 1, SAVED = 4, EXTRA = 1;
  static constexpr bool SAME_GRADIENT = false;

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

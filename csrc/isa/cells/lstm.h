// Long short-term memory, and the cells of src/unrolled/cells/lstm_variations.py that differ from it within a unit.
#pragma once

#include "../vector.h"

namespace {

// i, f, o = σ(u + r);  c̃ = tanh(u + r);  c = f ∘ c + i ∘ c̃;  h = o ∘ tanh c.   Blocks: input, forget, candidate, output.
struct LSTM {
  static constexpr int GATES = 4, STATES = 2, SAVED = 4, EXTRA = 0;
  static constexpr bool PRODUCT = true, SAME_GRADIENT = true;

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


// As the LSTM; i = σ(u + r + p_i ∘ c_before), f = σ(u + r + p_f ∘ c_before), o = σ(u + r + p_o ∘ c).
struct PeepholeLSTM {
  static constexpr int GATES = 4, STATES = 2, SAVED = 4, EXTRA = 3;
  static constexpr bool PRODUCT = true, SAME_GRADIENT = true;

  template <class V>
  static void forward(const V* u, const V* r, const V* before, const V* p, V* after, V* saved) {
    saved[0] = sigmoid(u[0] + r[0] + p[0] * before[1]);
    saved[1] = sigmoid(u[1] + r[1] + p[1] * before[1]);
    saved[2] = hyperbolic_tangent(u[2] + r[2]);
    after[1] = saved[1] * before[1] + saved[0] * saved[2];
    saved[3] = sigmoid(u[3] + r[3] + p[2] * after[1]);
    after[0] = saved[3] * hyperbolic_tangent(after[1]);
  }

  template <class V>
  static void backward(const V* saved, const V* before, const V* after, const V* p, const V* d_after, V* d_u, V*,
                       V* d_p, V* d_before) {
    const V i = saved[0], f = saved[1], g = saved[2], o = saved[3];
    const V squashed = hyperbolic_tangent(after[1]);
    d_u[3] = d_after[0] * squashed * o * (1 - o);
    const V d_c = d_after[1] + d_after[0] * o * (1 - squashed * squashed) + d_u[3] * p[2];
    d_u[0] = d_c * g * i * (1 - i);
    d_u[1] = d_c * before[1] * f * (1 - f);
    d_u[2] = d_c * i * (1 - g * g);
    d_p[0] = d_u[0] * before[1];
    d_p[1] = d_u[1] * before[1];
    d_p[2] = d_u[3] * after[1];
    d_before[0] = V{};
    d_before[1] = d_c * f + d_u[0] * p[0] + d_u[1] * p[1];
  }
};

// f, o = σ(u + r);  c̃ = tanh(u + r);  c = f ∘ c + (1 − f) ∘ c̃;  h = o ∘ tanh c.   Blocks: forget, candidate, output.
struct CoupledLSTM {
  static constexpr int GATES = 3, STATES = 2, SAVED = 3, EXTRA = 0;
  static constexpr bool PRODUCT = true, SAME_GRADIENT = true;

  template <class V>
  static void forward(const V* u, const V* r, const V* before, const V*, V* after, V* saved) {
    saved[0] = sigmoid(u[0] + r[0]);
    saved[1] = hyperbolic_tangent(u[1] + r[1]);
    saved[2] = sigmoid(u[2] + r[2]);
    after[1] = saved[1] + saved[0] * (before[1] - saved[1]);
    after[0] = saved[2] * hyperbolic_tangent(after[1]);
  }

  template <class V>
  static void backward(const V* saved, const V* before, const V* after, const V*, const V* d_after, V* d_u, V*,
                       V*, V* d_before) {
    const V f = saved[0], g = saved[1], o = saved[2];
    const V squashed = hyperbolic_tangent(after[1]);
    const V d_c = d_after[1] + d_after[0] * o * (1 - squashed * squashed);
    d_u[0] = d_c * (before[1] - g) * f * (1 - f);
    d_u[1] = d_c * (1 - f) * (1 - g * g);
    d_u[2] = d_after[0] * squashed * o * (1 - o);
    d_before[0] = V{};
    d_before[1] = d_c * f;
  }
};

// i, o = σ(u + r);  c̃ = tanh(u + r);  c = c + i ∘ c̃;  h = o ∘ tanh c.   Blocks: input, candidate, output.
struct NoForgetLSTM {
  static constexpr int GATES = 3, STATES = 2, SAVED = 3, EXTRA = 0;
  static constexpr bool PRODUCT = true, SAME_GRADIENT = true;

  template <class V>
  static void forward(const V* u, const V* r, const V* before, const V*, V* after, V* saved) {
    saved[0] = sigmoid(u[0] + r[0]);
    saved[1] = hyperbolic_tangent(u[1] + r[1]);
    saved[2] = sigmoid(u[2] + r[2]);
    after[1] = before[1] + saved[0] * saved[1];
    after[0] = saved[2] * hyperbolic_tangent(after[1]);
  }

  template <class V>
  static void backward(const V* saved, const V*, const V* after, const V*, const V* d_after, V* d_u, V*, V*,
                       V* d_before) {
    const V i = saved[0], g = saved[1], o = saved[2];
    const V squashed = hyperbolic_tangent(after[1]);
    const V d_c = d_after[1] + d_after[0] * o * (1 - squashed * squashed);
    d_u[0] = d_c * g * i * (1 - i);
    d_u[1] = d_c * i * (1 - g * g);
    d_u[2] = d_after[0] * squashed * o * (1 - o);
    d_before[0] = V{};
    d_before[1] = d_c;
  }
};

}  // namespace

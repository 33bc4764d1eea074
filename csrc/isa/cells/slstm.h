// sLSTM of src/unrolled/cells/xlstm.py, for the units of one head.
#pragma once

#include "../vector.h"

namespace {

// log f = log σ(u + r) + m;  m = max(log f, u + r);  i = e^(u + r − m);  f = e^(log f − m);  z = tanh(u + r);  o = σ(u + r)
// c = f ∘ c + i ∘ z;  n = f ∘ n + i;  h = o ∘ c / n.   Blocks: input, forget, candidate, output; leaves h, c, n, m.
struct SLSTM {
  static constexpr int GATES = 4, STATES = 4, SAVED = 6, EXTRA = 0;
  static constexpr bool PRODUCT = true, SAME_GRADIENT = true;

  template <class V>
  static void forward(const V* u, const V* r, const V* before, const V*, V* after, V* saved) {
    const V log_i = u[0] + r[0], log_f = log_sigmoid(u[1] + r[1]) + before[3];
    after[3] = log_f > log_i ? log_f : log_i;
    saved[0] = exponential(log_i - after[3]);
    saved[1] = exponential(log_f - after[3]);
    saved[2] = hyperbolic_tangent(u[2] + r[2]);
    saved[3] = sigmoid(u[3] + r[3]);
    saved[4] = sigmoid(-u[1] - r[1]);
    saved[5] = log_f - log_i;
    after[1] = saved[1] * before[1] + saved[0] * saved[2];
    after[2] = saved[1] * before[2] + saved[0];
    after[0] = saved[3] * after[1] / after[2];
  }

  template <class V>
  static void backward(const V* saved, const V* before, const V* after, const V*, const V* d_after, V* d_u, V*,
                       V*, V* d_before) {
    const V i = saved[0], f = saved[1], z = saved[2], o = saved[3];
    const V ratio = after[1] / after[2], d_ratio = d_after[0] * o / after[2];
    const V d_c = d_after[1] + d_ratio, d_n = d_after[2] - d_ratio * ratio;
    const V d_log_i = (d_c * z + d_n) * i, d_log_f = (d_c * before[1] + d_n * before[2]) * f;
    // m is the greater of the two logarithms. Which one, i and f would not tell: rounded to bfloat16 both may be 1.
    const V d_m = d_after[3] - d_log_i - d_log_f;
    const V to_f = saved[5] > 0 ? V{} + 1 : saved[5] < 0 ? V{} : V{} + decltype(+i[0])(0.5);
    d_u[0] = d_log_i + d_m * (1 - to_f);
    d_before[3] = d_log_f + d_m * to_f;
    d_u[1] = d_before[3] * saved[4];
    d_u[2] = d_c * i * (1 - z * z);
    d_u[3] = d_after[0] * ratio * o * (1 - o);
    d_before[0] = V{};
    d_before[1] = d_c * f;
    d_before[2] = d_n * f;
  }
};

}  // namespace

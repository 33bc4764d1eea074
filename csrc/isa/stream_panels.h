// The packed weights of a streamed cell, in the order in which a step reads them: a panel for some units, with the input's
// terms and then the state's; then what each column has of its own.
#pragma once

#include "../stream.h"
#include "cells.h"
#include "stream_terms.h"

namespace {

using unrolled::StreamWeights;

template <class Cell, class Type>
struct StreamPanels {
  typedef typename Type::Weight Weight;
  static constexpr int G = Cell::GATES, L = LANES<float>, COUNT = Type::COUNT;
  // As many sums as registers hold beside one row's entry, for a sum can only be added to again some cycles later.
  static constexpr int BLOCKS = std::max(1, (REGISTERS == 32 ? 8 : 4) / G);
  static constexpr int NV = BLOCKS * G;

  struct Layout {
    long F, H;
    long panels, columns;             // columns: panels · NV · L
    long terms_F, terms_H;            // with the last group filled
    long panel;                       // weights in one
    long bias, scales, shifts, extra, bytes;  // where they begin
    Layout(long F_, long H_) : F(F_), H(H_) {
      panels = round_up(H, long(BLOCKS) * L) / (BLOCKS * L);
      columns = panels * NV * L;
      terms_F = round_up(F, COUNT);
      terms_H = round_up(H, COUNT);
      panel = (terms_F + terms_H) * NV * L;
      bias = round_up(panels * panel * long(sizeof(Weight)), 64);
      scales = bias + columns * 4;                        // of U, then of W
      shifts = scales + (Type::SCALED ? 2 * columns * 4 : 0);  // likewise
      extra = shifts + (Type::SCALED && Type::CONVERTED ? 2 * columns * 4 : 0);
      bytes = extra + Cell::EXTRA * panels * BLOCKS * L * 4;
    }
  };

  static long packed_bytes(long F, long H) { return Layout(F, H).bytes; }

  // One row of U or W, of K terms, as column (v, lane) of its panel.
  static void pack_row(Weight* panel, const float* row, long K, int v, int lane, float* scale, std::int32_t* shift) {
    const auto place = [&](long k) { return panel + ((k / COUNT * NV + v) * L + lane) * COUNT + k % COUNT; };
    if constexpr (!Type::SCALED) {
      for (long k = 0; k < K; ++k) store_one(place(k), row[k]);
    } else {
      float most = 0, spoilt = 0;
      for (long k = 0; k < K; ++k) most = std::max(most, std::fabs(row[k])), spoilt += row[k] * 0;
      *scale = most / 127 + spoilt;  // NaN where a weight is not finite: then so is all that comes of it
      std::int32_t sum = 0;
      if (*scale > 1e-30f)
        for (long k = 0; k < K; ++k) sum += *place(k) = std::int8_t(std::lrintf(row[k] / *scale));
      if constexpr (Type::CONVERTED) *shift = 128 * sum;
    }
  }

  static void pack(const StreamWeights& p, void* packed) {
    const Layout at(p.F, p.H);
    char* to = static_cast<char*>(packed);
    std::memset(to, 0, at.bytes);
    float* bias = reinterpret_cast<float*>(to + at.bias);
    float* scales = reinterpret_cast<float*>(to + at.scales);
    std::int32_t* shifts = reinterpret_cast<std::int32_t*>(to + at.shifts);
    float* extra = reinterpret_cast<float*>(to + at.extra);
    for (long unit = 0; unit < p.H; ++unit) {
      const long panel = unit / (BLOCKS * L);
      const int block = int(unit / L % BLOCKS), lane = int(unit % L);
      Weight* weights = reinterpret_cast<Weight*>(to) + panel * at.panel;
      for (int g = 0; g < G; ++g) {
        const int v = block * G + g;
        const long row = g * p.H + unit, column = (panel * NV + v) * L + lane;
        if (p.b) bias[column] = p.b[row];
        if (p.F) pack_row(weights, p.U + row * p.F, p.F, v, lane, scales + column, shifts + column);
        pack_row(weights + at.terms_F * NV * L, p.W + row * p.H, p.H, v, lane, scales + at.columns + column,
                 shifts + at.columns + column);
      }
      for (int e = 0; e < Cell::EXTRA; ++e) extra[e * at.panels * BLOCKS * L + unit] = p.extra[e][unit];
    }
  }
};

}  // namespace

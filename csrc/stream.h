// A cell that is fed step by step: what the binding fills in and the streaming kernels read.
//
// Letters as in recurrence.h; F features that come in, V symbols. Everything but the packed weights is float32.
// The weights are packed once, in one of three types, and then read once a step: with few rows nothing else costs time.
#pragma once

#include <cstdint>

#include "recurrence.h"

namespace unrolled {

enum class Precision : int { float32, bfloat16, int8, count };

// What is packed; the sizes of a Stream say the rest.
struct StreamWeights {
  long F, H;
  const float* U;                  // (G·H, F); null, and F 0, where symbols come in
  const float* W;                  // (G·H, H)
  const float* b;                  // (G·H); null where symbols come in, whose table has it already
  const float* extra[MOST_EXTRA];  // (H) each
};

struct Stream {
  long T, B, F, H;
  int threads;                     // at most
  const void* packed;              // as `pack` left it
  const float* x;                  // (T, B, F), or null:
  const std::int64_t* symbols;     // (T, B), each below V, which are looked up in
  const float* table;              // (V, G·H), U and b for each symbol
  const float* start[MOST_STATES]; // (B, H)
  float* output;                   // (T, B, H): h
  float* last[MOST_STATES];        // (B, H)
};

// One cell's streaming kernels, by the type of the packed weights.
struct StreamKernels {
  const char* name;
  int gates, states, extra;
  long (*packed_bytes[int(Precision::count)])(long F, long H);
  void (*pack[int(Precision::count)])(const StreamWeights&, void* packed);
  void (*run[int(Precision::count)])(const Stream&);
};

}  // namespace unrolled

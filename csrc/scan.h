// A diagonal linear recurrence over whole sequences, h_t = a_t ∘ h_{t-1} + b_t, as plain pointers.
//
// All numbers are of one type, real or complex. A time's numbers stand as rows × columns; a may be the same in all
// rows, or at all times, and then stands there once.
#pragma once

namespace unrolled {

enum class ScanNumber : int { float32, float64, complex64, complex128, count };

// Of one number.
inline long scan_bytes(int number) {
  const long bytes[] = {4, 8, 8, 16};
  return bytes[number];
}

struct Scan {
  long T, rows, columns;
  bool reverse;           // from the last step to the first, h_t = a_t ∘ h_{t+1} + b_t
  int threads;            // at most
  const void* a;          // from one time to the next, and from one row to the next, so many numbers:
  long a_time, a_row;
  const void* b;          // (T, rows, columns)
  const void* start;      // (rows, columns), the state before the first step
  void* h;                // (T, rows, columns), the state after each
  // the backward pass reads all of the above, and these:
  const void* d_h;        // (T, rows, columns)
  const void* d_last;     // (rows, columns), what reaches the last state from elsewhere; or null
  void* d_a;              // (T, rows, columns); null where nobody wants it
  void* d_b;              // (T, rows, columns)
  void* d_start;          // (rows, columns)
};

struct ScanKernels {
  void (*forward[int(ScanNumber::count)])(const Scan&);
  void (*backward[int(ScanNumber::count)])(const Scan&);
};

}  // namespace unrolled

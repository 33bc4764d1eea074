// Memory of a kernel's own, and the parts of a job that threads take.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "product.h"

namespace {

template <class T>
class Buffer {  // zeros, aligned for vectors
 public:
  explicit Buffer(long count) : Buffer(count, true) {}
  // Not cleared, for what is written before it is read.
  static Buffer unset(long count) { return Buffer(count, false); }
  T* get() const { return data_.get(); }
  T* operator+(long offset) const { return data_.get() + offset; }

 private:
  Buffer(long count, bool clear)
      : data_(static_cast<T*>(std::aligned_alloc(64, round_up(std::max(count, 1L) * long(sizeof(T)), 64)))) {
    if (!data_) throw std::bad_alloc();
    if (clear) std::memset(static_cast<void*>(data_.get()), 0, sizeof(T) * std::max(count, 1L));
  }
  struct Free {
    void operator()(T* data) const { std::free(data); }
  };
  std::unique_ptr<T, Free> data_;
};

// Numbers below the smallest normal one count as zero while this lives: they cost a hundred times as much and mean nothing.
class Flush {
 public:
#if defined(__x86_64__)
  Flush() : before_(__builtin_ia32_stmxcsr()) { __builtin_ia32_ldmxcsr(before_ | 0x8040u); }
  ~Flush() { __builtin_ia32_ldmxcsr(before_); }

 private:
  unsigned before_;
#elif defined(__aarch64__)
  Flush() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" ::"r"(before_ | 1ul << 24));
  }
  ~Flush() { asm volatile("msr fpcr, %0" ::"r"(before_)); }

 private:
  unsigned long before_;
#endif
};

// A contiguous part of `count` things for one of `members`.
struct Share {
  long first, end;
  static Share of(long count, int member, int members) {
    return {count * member / members, count * (member + 1) / members};
  }
};

}  // namespace

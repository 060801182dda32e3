// The engine's entry points: one instance of kernels.inc for each vector width, chosen at run time by
// training/compiled.py. Plain C ABI, no Python or torch headers; called through ctypes with pointers.

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#define INLINE static inline __attribute__((always_inline))

// Under AddressSanitizer (tests/training/test_memory.py) the scratch buffers lie apart, and what is between them is
// out of bounds.
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define FORBID(at, bytes) ASAN_POISON_MEMORY_REGION(at, bytes)
#define ALLOW(at, bytes) ASAN_UNPOISON_MEMORY_REGION(at, bytes)
constexpr int64_t GAP = 2;  // vectors
#else
#define FORBID(at, bytes)
#define ALLOW(at, bytes)
constexpr int64_t GAP = 0;
#endif

namespace {

// Memory that a thread keeps between calls, grown as needed: packed weights and per-image scratch.
struct Scratch {
  char* data = nullptr;
  size_t bytes = 0;
  ~Scratch() { free(data); }
  char* reserve(size_t wanted) {
    ALLOW(data, bytes);
    if (wanted > bytes) {
      free(data);
      bytes = (wanted + 4095) & ~size_t(4095);
      data = static_cast<char*>(aligned_alloc(64, bytes));
      if (!data) bytes = 0;
    }
    return data;
  }
};
thread_local Scratch scratch;

// That memory while a run lasts: a run that another one's loss asks for meanwhile has its own.
struct Borrowed {
  Scratch scratch;
  Borrowed() { swap(); }
  ~Borrowed() {
    if (scratch.bytes > ::scratch.bytes) swap();
  }
  void swap() {
    std::swap(scratch.data, ::scratch.data);
    std::swap(scratch.bytes, ::scratch.bytes);
  }
  Borrowed(const Borrowed&) = delete;
};

#include "team.inc"

// Columns of a block's row in the plan. training/compiled.py writes them in this order.
enum { RELU, POOL, KERNEL, DILATION, CONV_KERNEL, CIN, COUT, HEIGHT, WIDTH, DEPTHWISE, CONV, AFFINE, Z, GRAD, INPUT, TARGET, STAT, SUMMED, GROUPS, WRITES, COLUMNS };
enum { MAX = 1, AVERAGE };  // what POOL holds, 0 where a block pools nothing
enum { RAW, NORMALISED, ACTIVATED };  // what WRITES holds
// Columns of a head's row.
enum { H_CHANNELS, H_CLASSES, H_HEIGHT, H_WIDTH, H_LINEAR, H_INPUT, H_TARGET, H_COLUMNS };
// What a run returns, as training/compiled.py reads it.
enum { OK, NO_MEMORY, BAD_LABEL, STOPPED };  // stopped: by the caller's loss

}  // namespace

#define REAL float
#define LANES 4
#define NAME f32x4
#include "kernels.inc"
#undef REAL
#undef LANES
#undef NAME

#define REAL double
#define LANES 4
#define NAME f64x4
#include "kernels.inc"
#undef REAL
#undef LANES
#undef NAME

#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define REAL float
#define LANES 8
#define NAME f32x8
#include "kernels.inc"
#undef REAL
#undef LANES
#undef NAME
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")
#define REAL float
#define LANES 16
#define NAME f32x16
#include "kernels.inc"
#undef REAL
#undef LANES
#undef NAME
#pragma GCC pop_options
#endif

#define REAL float
#define NAME f32
#include "steps.inc"
#undef REAL
#undef NAME

#define REAL double
#define NAME f64
#include "steps.inc"
#undef REAL
#undef NAME

extern "C" {

// The widest float vector this processor can run, in lanes.
int nbws_lanes() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
    return 16;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 8;
#endif
  return 4;
}

// Of the plan and of all arguments; training/kernels/library.py refuses another.
int nbws_version() { return 7; }
}

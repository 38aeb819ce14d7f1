#pragma once
// The loops once, over vectors of GCC's own kind; each instruction set's translation unit instantiates them
// with its width.

#include <cstddef>
#include <cstring>

#include "kernels/stream/host/loops.hpp"

namespace sparkmpi::kernels::stream {

/// @tparam Width doubles in a vector. @tparam Store how a vector is stored: static void put(double*, Vector).
template <std::size_t Width, class Store>
struct VectorLoops {
  typedef double Vector __attribute__((vector_size(Width * sizeof(double))));
  // Enough independent loads in flight to cover the latency of an addition and of a cache miss.
  static constexpr std::size_t kUnroll = 8;
  static constexpr std::size_t kStep = Width * kUnroll;

  static Vector load(const double* from) {
    Vector vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
  }

  static double sum(const Vector& vector) {
    double lanes[Width];
    std::memcpy(lanes, &vector, sizeof lanes);
    double total = 0;
    for (const double lane : lanes) total += lane;
    return total;
  }

  /// Runs body(i) for whole steps and rest(i) for what is left over.
  template <class Body, class Rest>
  static void over(std::size_t count, Body&& body, Rest&& rest) {
    std::size_t i = 0;
    for (; i + kStep <= count; i += kStep) body(i);
    for (; i < count; ++i) rest(i);
    Store::finish();
  }

  static double read(const double* a, std::size_t count) {
    Vector sums[kUnroll] = {};
    double tail = 0;
    over(
        count,
        [&](std::size_t i) {
          for (std::size_t u = 0; u < kUnroll; ++u) sums[u] += load(a + i + u * Width);
        },
        [&](std::size_t i) { tail += a[i]; });
    for (const Vector& each : sums) tail += sum(each);
    return tail;
  }

  static double dot(const double* a, const double* b, std::size_t count) {
    Vector sums[kUnroll] = {};
    double tail = 0;
    over(
        count,
        [&](std::size_t i) {
          for (std::size_t u = 0; u < kUnroll; ++u)
            sums[u] += load(a + i + u * Width) * load(b + i + u * Width);
        },
        [&](std::size_t i) { tail += a[i] * b[i]; });
    for (const Vector& each : sums) tail += sum(each);
    return tail;
  }

  /// to[i] = value(i), a vector or one element at a time.
  template <class VectorValue, class Value>
  static void fill(double* to, std::size_t count, VectorValue&& vector_value, Value&& value) {
    over(
        count,
        [&](std::size_t i) {
          for (std::size_t u = 0; u < kUnroll; ++u)
            Store::put(to + i + u * Width, vector_value(i + u * Width));
        },
        [&](std::size_t i) { to[i] = value(i); });
  }

  static void write(double* a, double s, std::size_t count) {
    const Vector all = Vector{} + s;
    fill(
        a, count, [&](std::size_t) { return all; }, [&](std::size_t) { return s; });
  }
  static void copy(double* c, const double* a, std::size_t count) {
    fill(
        c, count, [&](std::size_t i) { return load(a + i); }, [&](std::size_t i) { return a[i]; });
  }
  static void scale(double* b, const double* c, double s, std::size_t count) {
    fill(
        b, count, [&](std::size_t i) { return s * load(c + i); }, [&](std::size_t i) { return s * c[i]; });
  }
  static void add(double* c, const double* a, const double* b, std::size_t count) {
    fill(
        c, count, [&](std::size_t i) { return load(a + i) + load(b + i); },
        [&](std::size_t i) { return a[i] + b[i]; });
  }
  static void triad(double* a, const double* b, const double* c, double s, std::size_t count) {
    fill(
        a, count, [&](std::size_t i) { return load(b + i) + s * load(c + i); },
        [&](std::size_t i) { return b[i] + s * c[i]; });
  }

  static Loops loops() { return {read, write, copy, scale, add, triad, dot, Store::kNonTemporal}; }
};

/// Stores through the caches.
template <std::size_t Width>
struct CachedStore {
  typedef double Vector __attribute__((vector_size(Width * sizeof(double))));
  static constexpr bool kNonTemporal = false;
  static void put(double* to, Vector value) { std::memcpy(to, &value, sizeof value); }
  static void finish() {}
};

}  // namespace sparkmpi::kernels::stream

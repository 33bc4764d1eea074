// The machine that runs a program (../program.h) through all of time: rows are shared between threads, or units where
// none needs another, and each thread takes its own through every step without waiting for anyone.
//
// A register is a tile of numbers, so that what it costs to look at an instruction is spread over hundreds of them.
#pragma once

#include <vector>

#include "../program.h"
#include "../threads.h"
#include "apart.h"
#include "axes.h"
#include "operations.h"
#include "panels.h"
#include "rows.h"

namespace {

using unrolled::Barrier;
using unrolled::PackedProgram;
using unrolled::Program;
using unrolled::ProgramArray;
using unrolled::ProgramState;
using unrolled::ProgramWeights;
using unrolled::together;

// One thread's rows, and the room that it has for them.
template <class C>
class Machine {
  static constexpr long L = LANES<C>, PANEL = TILE_VECTORS * L;
  static constexpr long TILE = 4096 / sizeof(C);  // numbers of a register

  // Where row r of an array begins at time t: arrays of the machine's own are by its rows, others by those of the batch.
  struct Place {
    C* data;
    long time, row;
    bool own;
  };

  // Some rows by some units of a section.
  struct Tile {
    long first, rows, unit, strip, count;  // count ≤ strip: units that there are
    long t, active;
  };

  const Program& p;
  const std::vector<Buffer<C>>& packed_;
  const int unit_member_, unit_members_;
  const Rows rows_;
  Buffer<C> registers_, room_;
  std::vector<Place> places_;
  std::vector<Buffer<double>> totals_;

  static long own_width(const ProgramArray& one) { return round_up(one.width, PANEL); }

  long room() const {
    long numbers = 0;
    for (long k = 0; k < p.array_count; ++k)
      if (!p.arrays[k].data) numbers += rows_.count() * own_width(p.arrays[k]);
    return numbers;
  }

 public:
  const int members;

  // by_units: the members share units, and each has all rows.
  Machine(const Program& program, const Recurrence& sizes, const std::vector<Buffer<C>>& packed, bool by_units, int member,
          int all)
      : p(program), packed_(packed), unit_member_(by_units ? member : 0), unit_members_(by_units ? all : 1),
        rows_(sizes, by_units ? 0 : member, by_units ? 1 : all), registers_(p.registers * TILE), room_(room()), members(all) {
    for (long k = 0; k < p.total_count; ++k) totals_.emplace_back(round_up(p.totals[k].width, PANEL));
  }

  const double* total(long k) const { return totals_[k].get(); }

  void run() {
    find_places();
    for (long k = 0; k < p.state_count; ++k) take_in(p.states[k]);
    for (long step = 0; step < p.T; ++step) {
      const long t = rows_.time(step), n = rows_.active(t);
      for (long k = 0; k < p.array_count; ++k)
        if (p.arrays[k].data && p.arrays[k].written)
          for (long r = n; r < rows_.count(); ++r) {
            const Share own = units(p.arrays[k].width);
            std::memset(static_cast<void*>(place(k, t, r) + own.first), 0, sizeof(C) * (own.end - own.first));
          }
      for (long at = 0; at < p.instructions;) {
        const Instruction& one = p.code[at++];
        if (one.operation == Operation::product) {
          multiply(one, n);
        } else {
          section(p.code + at, one.to, one.a, t, n);
          at += one.to;
        }
      }
      for (long k = 0; k < p.state_count; ++k) {
        Place &before = places_[p.states[k].before], &after = places_[p.states[k].after];
        if (n == rows_.count()) std::swap(before.data, after.data);
        else std::memcpy(static_cast<void*>(before.data), after.data, sizeof(C) * n * before.row);
      }
    }
    for (long k = 0; k < p.state_count; ++k) hand_out(p.states[k]);
  }

 private:
  void find_places() {
    C* next = room_.get();
    places_.clear();
    for (long k = 0; k < p.array_count; ++k) {
      const ProgramArray& one = p.arrays[k];
      if (one.data) {
        places_.push_back({static_cast<C*>(one.data), one.time, one.row, false});
      } else {
        places_.push_back({next, 0, own_width(one), true});
        next += rows_.count() * own_width(one);
      }
    }
  }

  // This member's of so many.
  Share units(long width) const {
    const Share vectors = Share::of(round_up(width, L) / L, unit_member_, unit_members_);
    return {std::min(vectors.first * L, width), std::min(vectors.end * L, width)};
  }

  C* place(long array, long t, long r) const {
    const Place& one = places_[array];
    return one.data + t * one.time + (one.own ? r : rows_[r]) * one.row;
  }

  void take_in(const ProgramState& state) const {
    const long width = p.arrays[state.before].width;
    for (long r = 0; r < rows_.count(); ++r)
      std::memcpy(static_cast<void*>(place(state.before, 0, r)), static_cast<const C*>(state.start) + rows_[r] * width,
                  sizeof(C) * width);
  }

  void hand_out(const ProgramState& state) const {
    const long width = p.arrays[state.before].width;
    const Share own = units(width);
    for (long r = 0; r < rows_.count(); ++r)
      std::memcpy(static_cast<C*>(state.last) + rows_[r] * width + own.first, place(state.before, 0, r) + own.first,
                  sizeof(C) * (own.end - own.first));
  }

  void multiply(const Instruction& one, long n) const {
    if (n == 0) return;
    const ProgramWeights& weights = p.weights[one.b];
    const Place &from = places_[one.a], &to = places_[one.to];
    multiply_panels<C, C>(n, from.data, from.row, packed_[one.b].get(), round_up(weights.N, PANEL) / PANEL, weights.K, to.data,
                          to.row, false);
  }

  void section(const Instruction* code, long count, long width, long t, long n) {
    const Share own = units(width);
    const long strip = std::min(round_up(own.end - own.first, L), TILE), most = TILE / std::max(strip, 1L);
    for (long first = 0; first < n; first += most)
      for (long unit = own.first; unit < own.end; unit += strip) {
        const Tile tile{first, std::min(most, n - first), unit, strip, std::min(strip, own.end - unit), t, n};
        for (const Instruction* one = code; one < code + count; ++one) take(*one, tile);
      }
  }

  void take(const Instruction& one, const Tile& tile) {
    const auto at = [&](long k) { return registers_ + k * TILE; };
    const auto each_row = [&](auto do_row) {
      for (long r = 0; r < tile.rows; ++r) do_row(r, r * tile.strip);
    };
    switch (one.operation) {
      case Operation::load:
        return each_row([&](long r, long in) {
          copy(at(one.to) + in, place(one.a, tile.t, tile.first + r) + one.b + tile.unit, tile.count, tile.strip);
        });
      case Operation::spread:
        return each_row([&](long r, long in) {
          const C value = place(one.a, tile.t, tile.first + r)[one.b];
          for (long k = 0; k < tile.strip; k += L) store(at(one.to) + in + k, all(value));
        });
      case Operation::expand:
        return each_row([&](long r, long in) {
          C* to = at(one.to) + in;
          expand(to, place(one.a, tile.t, tile.first + r) + one.b, Runs(tile.unit, one.c, long(one.x)), tile.count);
          std::fill(to + tile.count, to + tile.strip, C(0));
        });
      case Operation::store:
        return each_row([&](long r, long in) {
          std::memcpy(static_cast<void*>(place(one.to, tile.t, tile.first + r) + one.b + tile.unit), at(one.a) + in,
                      sizeof(C) * tile.count);
        });
      case Operation::sum_units:
        return each_row([&](long r, long in) {
          C* to = place(one.to, tile.t, tile.first + r);
          *to = sum(at(one.a) + in, tile.count) + (tile.unit ? *to : 0);
        });
      case Operation::sum_axis:
        return each_row([&](long r, long in) {
          sum_axis(place(one.to, tile.t, tile.first + r), at(one.a) + in, Runs(tile.unit, one.b, one.c), tile.count);
        });
      case Operation::sum_rows:
        return each_row([&](long, long in) {
          double* to = totals_[one.to] + tile.unit;
          const C* from = at(one.a) + in;
          for (long k = 0; k < tile.count; ++k) to[k] += from[k];
        });
      default: return operate<C>(one, tile.rows * tile.strip, at);
    }
  }

  // `count` numbers, and zeros up to a whole strip.
  static void copy(C* to, const C* from, long count, long strip) {
    std::memcpy(static_cast<void*>(to), from, sizeof(C) * count);
    std::fill(to + count, to + strip, C(0));
  }
};

// A whole call: weights are packed, machines run, their totals are added up. Or the first of these once, for many calls.
template <class C>
class Programs {
  static constexpr long L = LANES<C>, PANEL = TILE_VECTORS * L;

  Program p;
  Recurrence sizes{};
  std::vector<Buffer<C>> weights;
  bool ready = false;  // they are packed
  bool by_units = false;
  std::vector<std::unique_ptr<Machine<C>>> machines;
  Barrier barrier;

  explicit Programs(const Program& program) : p(program) {
    for (long k = 0; k < p.weight_count; ++k) weights.emplace_back(round_up(p.weights[k].N, PANEL) * p.weights[k].K);
  }

  void run(const Program& program, long threads) {
    by_units = program.B < threads && worth_sharing_units(program);
    const int members = int(std::clamp<long>(threads, 1, by_units ? threads : std::max(program.B, 1L)));
    if (program.B != sizes.B || members != int(machines.size())) machines.clear(), machines.resize(members);
    p = program;
    sizes.T = p.T, sizes.B = p.B, sizes.reverse = p.reverse, sizes.lengths = p.lengths;
    together(members, work, this);
  }

  void pack(int member, int members) const {
    for (long k = 0; k < p.weight_count; ++k)
      pack(p.weights[k], weights[k].get(), Share::of(round_up(p.weights[k].N, PANEL) / PANEL, member, members));
  }

  static void pack(const ProgramWeights& weights, C* to, Share panels) {
    const C* from = static_cast<const C*>(weights.data);
    for (long panel = panels.first; panel < panels.end; ++panel)
      for (int vector = 0; vector < TILE_VECTORS; ++vector) {
        const long column = panel * PANEL + vector * L;
        if (column >= weights.N) break;
        C* into = to + panel * PANEL * weights.K;
        if (weights.transposed) pack_columns<C, C>(into, vector, from + column, weights.stride, weights.K, weights.N - column);
        else pack_rows<C, C>(into, vector, from + column * weights.stride, weights.stride, weights.K, weights.N - column);
      }
  }

  static void work(void* context, int member, int members) {
    Programs& self = *static_cast<Programs*>(context);
    const Flush flush;
    if (!self.ready) {
      self.pack(member, members);
      self.barrier.wait(members);
    }
    std::unique_ptr<Machine<C>>& machine = self.machines[member];
    if (!machine || machine->members != members)
      machine = std::make_unique<Machine<C>>(self.p, self.sizes, self.weights, self.by_units, member, members);
    machine->run();
  }

  void add_up() const {
    for (long k = 0; k < p.total_count; ++k)
      for (long unit = 0; unit < p.totals[k].width; ++unit) {
        double sum = 0;
        for (const auto& machine : machines)
          if (machine) sum += machine->total(k)[unit];
        static_cast<C*>(p.totals[k].data)[unit] = C(sum);
      }
  }

 public:
  static void call(const Program& p) {
    Programs all(p);
    all.run(p, p.threads);
    all.add_up();
  }

  static PackedProgram* packed(const Program& p) {
    Programs* all = new Programs(p);
    all->pack(0, 1);
    all->ready = true;
    return reinterpret_cast<PackedProgram*>(all);
  }

  static void call_packed(PackedProgram* packed, const Program& p) {
    // Each thread reads all weights; one takes part where it then has a million multiplications or more to do.
    long numbers = 0;
    for (long k = 0; k < p.weight_count; ++k) numbers += p.weights[k].N * p.weights[k].K;
    reinterpret_cast<Programs*>(packed)->run(p, std::min<long>(p.threads, p.T * p.B * numbers >> 20));
  }

  static void release(PackedProgram* packed) { delete reinterpret_cast<Programs*>(packed); }
};

}  // namespace

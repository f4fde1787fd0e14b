// The machine of a netlist: evaluates the primitives of gates.py, one lane per bit of a vector.
//   LANE_WORDS  64-bit words of a vector
// A primitive is evaluated only after something that it reads has changed: most of a design rests
// while its serial line moves.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

namespace {

typedef uint64_t Lanes __attribute__((vector_size(8 * LANE_WORDS)));
constexpr int WORDS = LANE_WORDS;

enum Kind { LUT, MULTIPLY, READ };

struct Op {
    int32_t kind, table, out, in[4];
};

struct FlipFlop {
    int32_t d, enable, reset, value;
};

enum { SET = 1, ASYNCHRONOUS = 2 };  // bits of value

// As laid out in netlist_simulator.py.
struct Program {
    int64_t slots, ops, flipflops, rising, writes, memories, ports;
    const Op *op;
    const int32_t *operands;
    const FlipFlop *flipflop;
    const uint8_t *initial;
    const int32_t *write;          // place in operands, falling edge
    const int64_t *memory_size;
    const uint8_t *const *memory;  // one byte per bit
    const uint8_t *written;
    const int32_t *port_slots;     // slots of all ports, one after the other
    const int32_t *port_start;     // of each port, and the end
};

// Exchanges rows and columns of a 64 x 64 matrix of bits.
void transpose(uint64_t *rows) {
    uint64_t mask = 0x00000000ffffffffu;
    for (int step = 32; step; step >>= 1, mask ^= mask << step)
        for (int k = 0; k < 64; k = (k + step + 1) & ~step) {
            uint64_t swap = (rows[k] >> step ^ rows[k + step]) & mask;
            rows[k] ^= swap << step;
            rows[k + step] ^= swap;
        }
}

int64_t extend(uint64_t value, int width, bool sign) {
    value &= (uint64_t(1) << width) - 1;
    return sign && value >> (width - 1) ? int64_t(value) - (int64_t(1) << width) : int64_t(value);
}

struct Memory {
    bool written;
    std::vector<Lanes> lanes;     // written memories: each lane has its own contents
    std::vector<uint8_t> shared;  // the others
};

// Lists of int32, one after the other.
struct Lists {
    std::vector<int32_t> start, items;

    // From pairs (list, item).
    Lists(int64_t lists, const std::vector<std::pair<int32_t, int32_t>> &pairs)
        : start(lists + 1), items(pairs.size()) {
        for (auto &pair : pairs)
            ++start[pair.first + 1];
        for (int64_t k = 0; k < lists; ++k)
            start[k + 1] += start[k];
        std::vector<int32_t> end(start.begin(), start.end() - 1);
        for (auto &pair : pairs)
            items[end[pair.first]++] = pair.second;
    }
    const int32_t *begin(int64_t list) const { return items.data() + start[list]; }
    const int32_t *end(int64_t list) const { return items.data() + start[list + 1]; }
};

// A set of small numbers.
struct Marks {
    std::vector<uint64_t> words;

    explicit Marks(int64_t count) : words(count / 64 + 1) {}
    void set(int64_t k) { words[k / 64] |= uint64_t(1) << k % 64; }

    // Takes the marks from `begin` up to `end` out in ascending order, those that come on the way
    // included.
    template <class F> void drain(int64_t begin, int64_t end, F visit) {
        for (int64_t w = begin / 64; w * 64 < end; ++w) {
            uint64_t range = ~uint64_t(0);
            if (w == begin / 64)
                range <<= begin % 64;
            if (end - w * 64 < 64)
                range &= (uint64_t(1) << (end - w * 64)) - 1;
            while (const uint64_t found = words[w] & range) {
                words[w] ^= found & -found;
                visit(w * 64 + __builtin_ctzll(found));
            }
        }
    }
};

bool differ(const Lanes &a, const Lanes &b) {
    const Lanes d = a ^ b;
    uint64_t any = 0;
    for (int w = 0; w < WORDS; ++w)
        any |= d[w];
    return any != 0;
}

struct Machine {
    Program program;
    std::vector<Lanes> value, next;
    std::vector<Memory> memories;
    Marks stale;                              // primitives, then flip-flops, to be evaluated
    Lists readers;                            // of each slot, numbered as in `stale`
    Lists memory_readers;                     // of each memory, its reads
    Lists enables;                            // of each write, its different enables
    std::vector<int32_t> moved, asynchronous;  // flip-flops
    bool high = false, falls;

    explicit Machine(const Program &p)
        : program(p), value(p.slots), next(p.flipflops), stale(p.ops + p.flipflops),
          readers(p.slots, slot_readers(p)), memory_readers(p.memories, reads(p)),
          enables(p.writes, write_enables(p)) {
        for (int64_t k = 0; k < p.ops + p.flipflops; ++k)
            stale.set(k);
        for (int64_t k = 0; k < p.flipflops; ++k)
            if (p.flipflop[k].value & ASYNCHRONOUS)
                asynchronous.push_back(k);
        for (int64_t k = 0; k < p.slots; ++k)
            value[k] = Lanes{};
        value[1] = ~Lanes{};
        for (int64_t k = 0; k < p.flipflops; ++k)
            value[2 + k] = p.initial[k] ? value[1] : value[0];
        for (int64_t k = 0; k < p.memories; ++k) {
            Memory memory{p.written[k] != 0, {}, {}};
            const uint8_t *bits = p.memory[k];
            if (memory.written) {
                memory.lanes.resize(p.memory_size[k]);
                for (int64_t n = 0; n < p.memory_size[k]; ++n)
                    memory.lanes[n] = bits[n] ? value[1] : value[0];
            } else
                memory.shared.assign(bits, bits + p.memory_size[k]);
            memories.push_back(std::move(memory));
        }
        falls = p.rising < p.flipflops;
        for (int64_t k = 0; k < p.writes; ++k)
            falls |= p.write[2 * k + 1] != 0;
    }

    static std::vector<std::pair<int32_t, int32_t>> slot_readers(const Program &p) {
        std::vector<std::pair<int32_t, int32_t>> pairs;
        for (int64_t n = 0; n < p.ops; ++n) {
            const int32_t *operands = p.operands + p.op[n].table, *slots = p.op[n].in;
            int count = 4;
            if (p.op[n].kind == MULTIPLY)
                slots = operands + 5, count = operands[0] + operands[1];
            else if (p.op[n].kind == READ)
                slots = operands + 3, count = operands[1];
            for (int k = 0; k < count; ++k)
                pairs.emplace_back(slots[k], n);
        }
        for (int64_t k = 0; k < p.flipflops; ++k)
            for (int32_t slot : {p.flipflop[k].d, p.flipflop[k].enable, p.flipflop[k].reset})
                pairs.emplace_back(slot, p.ops + k);
        return pairs;
    }
    static std::vector<std::pair<int32_t, int32_t>> reads(const Program &p) {
        std::vector<std::pair<int32_t, int32_t>> pairs;
        for (int64_t n = 0; n < p.ops; ++n)
            if (p.op[n].kind == READ)
                pairs.emplace_back(p.operands[p.op[n].table], n);
        return pairs;
    }
    static std::vector<std::pair<int32_t, int32_t>> write_enables(const Program &p) {
        std::vector<std::pair<int32_t, int32_t>> pairs;
        for (int64_t k = 0; k < p.writes; ++k) {
            const int32_t *operands = p.operands + p.write[2 * k];
            const int nd = operands[2];
            const int32_t *slots = operands + 3 + operands[1] + nd;
            const std::set<int32_t> different(slots, slots + nd);
            for (int32_t slot : different)
                pairs.emplace_back(k, slot);
        }
        return pairs;
    }

    void set(int32_t slot, const Lanes &now) {
        if (!differ(value[slot], now))
            return;
        value[slot] = now;
        for (auto reader = readers.begin(slot); reader != readers.end(slot); ++reader)
            stale.set(*reader);
    }

    // The same address in every lane, or -1.
    int64_t common(const int32_t *slots, const int32_t *strides, int count) {
        int64_t address = 0;
        for (int k = 0; k < count; ++k) {
            const Lanes &bit = value[slots[k]];
            for (int w = 0; w < WORDS; ++w)
                if (bit[w] != bit[0] || bit[w] + 1 > 1)
                    return -1;
            if (bit[0])
                address += strides[k];
        }
        return address;
    }

    // Addresses of 64 lanes.
    void addresses(const int32_t *slots, const int32_t *strides, int count, int word,
                   int32_t *address) {
        std::fill(address, address + 64, 0);
        for (int k = 0; k < count; ++k) {
            const uint64_t bits = value[slots[k]][word];
            for (int lane = 0; lane < 64; ++lane)
                address[lane] += int32_t(bits >> lane & 1) * strides[k];
        }
    }

    void lut(const Op &op) {
        const Lanes a = value[op.in[0]], b = value[op.in[1]];
        const Lanes c = value[op.in[2]], d = value[op.in[3]];
        auto row = [&](int k) { return Lanes{} - uint64_t(op.table >> k & 1); };
        auto leaf = [&](int k) { return row(k) ^ (a & (row(k) ^ row(k + 1))); };
        auto mux = [](Lanes s, Lanes low, Lanes high) { return low ^ (s & (low ^ high)); };
        if (op.in[2] == 0) {
            set(op.out, mux(b, leaf(0), leaf(2)));
            return;
        }
        const Lanes low = mux(c, mux(b, leaf(0), leaf(2)), mux(b, leaf(4), leaf(6)));
        if (op.in[3] == 0) {
            set(op.out, low);
            return;
        }
        const Lanes high = mux(c, mux(b, leaf(8), leaf(10)), mux(b, leaf(12), leaf(14)));
        set(op.out, mux(d, low, high));
    }

    // a width, b width, product width, a signed, b signed, a, b, product
    void multiply(const int32_t *p) {
        const int na = p[0], nb = p[1], width = p[2];
        const int32_t *a = p + 5, *b = a + na, *out = b + nb;
        Lanes product[64];
        for (int w = 0; w < WORDS; ++w) {
            uint64_t rows[64] = {};
            for (int k = 0; k < na; ++k)
                rows[k] = value[a[k]][w];
            for (int k = 0; k < nb; ++k)
                rows[32 + k] = value[b[k]][w];
            transpose(rows);
            for (auto &row : rows)
                row = uint64_t(extend(row, na, p[3])) * uint64_t(extend(row >> 32, nb, p[4]));
            transpose(rows);
            for (int k = 0; k < width; ++k)
                product[k][w] = rows[k];
        }
        for (int k = 0; k < width; ++k)
            set(out[k], product[k]);
    }

    // memory, address bits, data bits, address, strides, offsets, data
    void read(const int32_t *p) {
        Memory &memory = memories[p[0]];
        const int na = p[1], nd = p[2];
        const int32_t *slots = p + 3, *strides = slots + na, *offsets = strides + na;
        const int32_t *out = offsets + nd;
        const int64_t everywhere = common(slots, strides, na);
        if (everywhere >= 0) {
            for (int k = 0; k < nd; ++k) {
                const int64_t bit = everywhere + offsets[k];
                set(out[k], memory.written ? memory.lanes[bit]
                                           : value[memory.shared[bit] ? 1 : 0]);
            }
            return;
        }
        int32_t address[WORDS][64];
        for (int w = 0; w < WORDS; ++w)
            addresses(slots, strides, na, w, address[w]);
        for (int k = 0; k < nd; ++k) {
            Lanes bits{};
            for (int w = 0; w < WORDS; ++w)
                for (int lane = 0; lane < 64; ++lane) {
                    const int64_t n = address[w][lane] + offsets[k];
                    const uint64_t bit =
                        memory.written ? memory.lanes[n][w] >> lane & 1 : memory.shared[n];
                    bits[w] |= bit << lane;
                }
            set(out[k], bits);
        }
    }

    // memory, address bits, data bits, address, data, enables, strides, offsets
    void write(int64_t number) {
        const int32_t *p = program.operands + program.write[2 * number];
        const int32_t *enable = enables.begin(number), *last = enables.end(number);
        if (std::none_of(enable, last, [&](int32_t k) { return differ(value[k], value[0]); }))
            return;
        Memory &memory = memories[p[0]];
        for (auto n = memory_readers.begin(p[0]); n != memory_readers.end(p[0]); ++n)
            stale.set(*n);
        const int na = p[1], nd = p[2];
        const int32_t *slots = p + 3, *data = slots + na, *enables = data + nd;
        const int32_t *strides = enables + nd, *offsets = strides + na;
        const int64_t everywhere = common(slots, strides, na);
        if (everywhere >= 0) {
            for (int k = 0; k < nd; ++k) {
                Lanes &bit = memory.lanes[everywhere + offsets[k]];
                bit ^= (bit ^ value[data[k]]) & value[enables[k]];
            }
            return;
        }
        for (int w = 0; w < WORDS; ++w) {
            int32_t address[64];
            addresses(slots, strides, na, w, address);
            for (int k = 0; k < nd; ++k) {
                const uint64_t enable = value[enables[k]][w], bits = value[data[k]][w];
                for (int lane = 0; lane < 64; ++lane) {
                    Lanes &bit = memory.lanes[address[lane] + offsets[k]];
                    bit[w] ^= (bit[w] ^ bits) & enable & uint64_t(1) << lane;
                }
            }
        }
    }

    void settle() {
        stale.drain(0, program.ops, [&](int64_t n) {
            const Op &op = program.op[n];
            switch (op.kind) {
            case LUT:
                lut(op);
                break;
            case MULTIPLY:
                multiply(program.operands + op.table);
                break;
            case READ:
                read(program.operands + op.table);
                break;
            }
        });
    }

    // Every input is read before any state changes.
    void edge(bool falling) {
        const int64_t begin = falling ? program.rising : 0;
        const int64_t end = falling ? program.flipflops : program.rising;
        moved.clear();
        stale.drain(program.ops + begin, program.ops + end, [&](int64_t n) {
            const int64_t k = n - program.ops;
            const FlipFlop &f = program.flipflop[k];
            const Lanes now = value[2 + k];
            const Lanes taken = now ^ (value[f.enable] & (now ^ value[f.d]));
            const Lanes reset = value[f.reset];
            next[k] = (taken & ~reset) | (f.value & SET ? reset : Lanes{});
            moved.push_back(k);
        });
        // The others see a reset that comes and goes between two edges of theirs.
        for (int32_t k : asynchronous)
            if (k < begin || k >= end) {
                const FlipFlop &f = program.flipflop[k];
                const Lanes now = value[2 + k], reset = value[f.reset];
                set(2 + k, (now & ~reset) | (f.value & SET ? reset : Lanes{}));
            }
        for (int64_t k = 0; k < program.writes; ++k)
            if (program.write[2 * k + 1] == falling)
                write(k);
        for (int32_t k : moved)
            set(2 + k, next[k]);
    }

    // The clock falls once the inputs of the new cycle stand; only then, and once per cycle.
    void look() {
        settle();
        if (high && falls) {
            edge(true);
            settle();
        }
        high = false;
    }
    void begin() { look(); }
    void end() {
        edge(false);
        high = true;
    }
    void sample() {}

    int lanes() { return sizeof(Lanes) * 8; }
    int port(const char *) { return -1; }
    int width(int port) { return program.port_start[port + 1] - program.port_start[port]; }
    size_t size(int port) { return size_t(width(port)) * sizeof(Lanes); }
    const int32_t *slots(int port) { return program.port_slots + program.port_start[port]; }

    void put(int port, const uint8_t *bytes) {
        for (int k = 0; k < width(port); ++k)
            if (slots(port)[k] > 1) {
                Lanes level;
                std::memcpy(&level, bytes + k * sizeof(Lanes), sizeof(Lanes));
                set(slots(port)[k], level);
            }
    }
    void get(int port, uint8_t *bytes) {
        for (int k = 0; k < width(port); ++k)
            std::memcpy(bytes + k * sizeof(Lanes), &value[slots(port)[k]], sizeof(Lanes));
    }
    void put_flag(int port, bool level) { set(*slots(port), value[level]); }
    int flag(int port) {
        const Lanes &bit = value[*slots(port)];
        for (int w = 0; w < WORDS; ++w)
            if (bit[w] != bit[0] || bit[w] + 1 > 1)
                return -1;
        return bit[0] & 1;
    }
};

}  // namespace

#include "driver.hpp"

extern "C" Machine *sim_create(const Program *program) { return new Machine(*program); }

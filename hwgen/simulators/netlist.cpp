// The machine of a netlist: evaluates the primitives of gates.py, one lane per bit of a vector.
//   LANE_WORDS  64-bit words of a vector

#include <algorithm>
#include <cstdint>
#include <cstring>
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

struct Machine {
    Program program;
    std::vector<Lanes> value, next;
    std::vector<Memory> memories;
    bool high = false, falls;

    explicit Machine(const Program &p) : program(p), value(p.slots), next(p.flipflops) {
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
            value[op.out] = mux(b, leaf(0), leaf(2));
            return;
        }
        const Lanes low = mux(c, mux(b, leaf(0), leaf(2)), mux(b, leaf(4), leaf(6)));
        if (op.in[3] == 0) {
            value[op.out] = low;
            return;
        }
        const Lanes high = mux(c, mux(b, leaf(8), leaf(10)), mux(b, leaf(12), leaf(14)));
        value[op.out] = mux(d, low, high);
    }

    // a width, b width, product width, a signed, b signed, a, b, product
    void multiply(const int32_t *p) {
        const int na = p[0], nb = p[1], width = p[2];
        const int32_t *a = p + 5, *b = a + na, *out = b + nb;
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
                value[out[k]][w] = rows[k];
        }
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
                value[out[k]] = memory.written ? memory.lanes[bit]
                                               : value[memory.shared[bit] ? 1 : 0];
            }
            return;
        }
        for (int w = 0; w < WORDS; ++w) {
            int32_t address[64];
            addresses(slots, strides, na, w, address);
            for (int k = 0; k < nd; ++k) {
                uint64_t bits = 0;
                for (int lane = 0; lane < 64; ++lane) {
                    const int64_t n = address[lane] + offsets[k];
                    const uint64_t bit =
                        memory.written ? memory.lanes[n][w] >> lane & 1 : memory.shared[n];
                    bits |= bit << lane;
                }
                value[out[k]][w] = bits;
            }
        }
    }

    // memory, address bits, data bits, address, data, enables, strides, offsets
    void write(const int32_t *p) {
        Memory &memory = memories[p[0]];
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
        for (const Op *op = program.op, *end = op + program.ops; op != end; ++op)
            switch (op->kind) {
            case LUT:
                lut(*op);
                break;
            case MULTIPLY:
                multiply(program.operands + op->table);
                break;
            case READ:
                read(program.operands + op->table);
                break;
            }
    }

    // Every input is read before any state changes.
    void edge(bool falling) {
        const int64_t begin = falling ? program.rising : 0;
        const int64_t end = falling ? program.flipflops : program.rising;
        for (int64_t k = begin; k < end; ++k) {
            const FlipFlop &f = program.flipflop[k];
            const Lanes now = value[2 + k];
            const Lanes taken = now ^ (value[f.enable] & (now ^ value[f.d]));
            const Lanes reset = value[f.reset];
            next[k] = (taken & ~reset) | (f.value & SET ? reset : Lanes{});
        }
        // The others see a reset that comes and goes between two edges of theirs.
        const int64_t first = falling ? 0 : program.rising;
        const int64_t last = falling ? program.rising : program.flipflops;
        for (int64_t k = first; k < last; ++k)
            if (const FlipFlop &f = program.flipflop[k]; f.value & ASYNCHRONOUS) {
                Lanes &now = value[2 + k];
                const Lanes reset = value[f.reset];
                now = (now & ~reset) | (f.value & SET ? reset : Lanes{});
            }
        for (int64_t k = 0; k < program.writes; ++k)
            if (program.write[2 * k + 1] == falling)
                write(program.operands + program.write[2 * k]);
        std::copy(next.begin() + begin, next.begin() + end, value.begin() + 2 + begin);
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
            if (slots(port)[k] > 1)
                std::memcpy(&value[slots(port)[k]], bytes + k * sizeof(Lanes), sizeof(Lanes));
    }
    void get(int port, uint8_t *bytes) {
        for (int k = 0; k < width(port); ++k)
            std::memcpy(bytes + k * sizeof(Lanes), &value[slots(port)[k]], sizeof(Lanes));
    }
    void put_flag(int port, bool level) { value[*slots(port)] = value[level]; }
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

// The machine of a graph of units, each compiled on its own (`unit_code.py`): wires between their
// ports, and an order of evaluation.

#include <dlfcn.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

typedef uint64_t W;
typedef void (*Function)(W *, const W *const *);

namespace {

// Tables of the units one after the other; units and ports are numbered in the same order.
struct Description {
    int64_t units, ports, steps, watched;
    const char *const *library, *const *symbol;
    const int64_t *image_size;
    const W *const *image;
    const int64_t *inputs;   // how many, per unit
    const int64_t *sources;  // per input: unit and word that it reads; unit -1: a port of the graph
    const int64_t *step;     // unit and function, in order of evaluation
    // Of the graph: for each port its name, width, unit (-1 an input) and word.
    const char *const *name;
    const int64_t *port;
    // Buffers whose level is kept: unit and word of i.valid, i.ready, o.valid, o.ready.
    const int64_t *level;
};

struct Unit {
    std::vector<W> state;
    std::vector<const W *> inputs;
    const Function *functions;
};

struct Call {
    Function function;
    W *state;
    const W *const *inputs;
};

struct Level {
    const W *signal[4];
    int64_t now = 0, highest = 0;
};

struct Port {
    std::string name;
    int width;
    W *words;
};

struct Machine {
    std::vector<Unit> units;
    std::vector<W> entry;  // words of the graph's own inputs
    std::vector<Call> calls, edges;
    std::vector<Port> ports;
    std::vector<Level> levels;

    W *word(int64_t unit, int64_t place) {
        return unit < 0 ? entry.data() + place : units[unit].state.data() + place;
    }

    bool make(const Description &d) {
        int64_t entry_words = 0;
        for (int64_t k = 0; k < d.ports; ++k)
            if (d.port[3 * k + 1] < 0)
                entry_words += (d.port[3 * k] + 63) / 64;
        entry.assign(entry_words + 1, 0);
        units.resize(d.units);
        for (int64_t k = 0; k < d.units; ++k) {
            void *library = dlopen(d.library[k], RTLD_NOW | RTLD_LOCAL);
            if (!library)
                return false;
            units[k].functions = (const Function *)dlsym(library, d.symbol[k]);
            units[k].state.assign(d.image[k], d.image[k] + d.image_size[k]);
            if (!units[k].functions)
                return false;
        }
        const int64_t *source = d.sources;
        for (int64_t k = 0; k < d.units; ++k)
            for (int64_t n = 0; n < d.inputs[k]; ++n, source += 2)
                units[k].inputs.push_back(word(source[0], source[1]));
        auto call = [&](int64_t unit, int64_t function) {
            Unit &at = units[unit];
            return Call{at.functions[function], at.state.data(), at.inputs.data()};
        };
        for (int64_t k = 0; k < d.steps; ++k)
            calls.push_back(call(d.step[2 * k], d.step[2 * k + 1]));
        for (int64_t k = 0; k < d.units; ++k)
            edges.push_back(call(k, 1));
        for (int64_t k = 0; k < d.ports; ++k) {
            const int64_t *port = d.port + 3 * k;
            ports.push_back({d.name[k], (int)port[0], word(port[1], port[2])});
        }
        levels.resize(d.watched);
        for (int64_t k = 0; k < d.watched; ++k)
            for (int n = 0; n < 4; ++n)
                levels[k].signal[n] = word(d.level[8 * k + 2 * n], d.level[8 * k + 2 * n + 1]);
        return true;
    }

    int port(const char *name) {
        for (size_t k = 0; k < ports.size(); ++k)
            if (ports[k].name == name)
                return k;
        return -1;
    }
    int lanes() { return 1; }
    int width(int port) { return ports[port].width; }
    size_t size(int port) { return (ports[port].width + 7) / 8; }
    void put(int port, const uint8_t *bytes) {
        Port &at = ports[port];
        std::memcpy(at.words, bytes, size(port));
        if (int used = at.width % 64)
            at.words[at.width / 64] &= ((W)1 << used) - 1;
    }
    void get(int port, uint8_t *bytes) { std::memcpy(bytes, ports[port].words, size(port)); }
    void put_flag(int port, bool value) { *ports[port].words = value; }
    int flag(int port) { return *ports[port].words; }

    void look() {
        for (auto &call : calls)
            call.function(call.state, call.inputs);
    }
    void begin() { look(); }
    void end() {
        for (auto &call : edges)
            call.function(call.state, call.inputs);
    }

    void sample() {
        for (auto &level : levels) {
            level.now += (int64_t)(*level.signal[0] & *level.signal[1]) -
                         (int64_t)(*level.signal[2] & *level.signal[3]);
            if (level.now > level.highest)
                level.highest = level.now;
        }
    }
};

}  // namespace

#include "driver.hpp"

extern "C" {

Machine *sim_create(const Description *description) {
    Machine *machine = new Machine;
    if (machine->make(*description))
        return machine;
    delete machine;
    return nullptr;
}

int64_t sim_level(Machine *m, int number) { return m->levels[number].highest; }
}

// The machine of a design that yosys' CXXRTL backend wrote as C++.
//   HWGEN_CLOCK     member of the design that is the clock
//   HWGEN_PREVIOUS  member that holds the clock of the last evaluation
//   HWGEN_FEEDBACK  1 where one evaluation per cycle is not enough

#include "design.hpp"

#include <cstring>
#include <map>
#include <string>

namespace {

struct Signal {
    std::vector<debug_item> parts;
    int width = 0;

    void evaluate() const {
        for (auto &part : parts)
            if (part.type == debug_item::OUTLINE)
                part.outline->eval();
    }

    void read(uint8_t *bytes) const {
        std::memset(bytes, 0, (width + 7) / 8);
        for (auto &part : parts)
            for (size_t bit = 0; bit < part.width; ++bit)
                if (part.curr[bit / 32] >> bit % 32 & 1)
                    bytes[(part.lsb_at + bit) / 8] |= 1 << (part.lsb_at + bit) % 8;
    }
};

struct Machine {
    cxxrtl_design::p_top top;
    debug_items items;
    std::vector<Signal> ports;
    std::map<std::string, int> numbers;
    std::vector<Signal> watched;
    std::vector<uint64_t> highest;

    Machine() { top.debug_info(&items, nullptr, ""); }

    int port(const char *name) {
        auto known = numbers.find(name);
        if (known != numbers.end())
            return known->second;
        Signal signal;
        if (!find(name, signal))
            return -1;
        auto &first = signal.parts[0];
        if (!(first.flags & (debug_item::INPUT | debug_item::OUTPUT)))
            return -1;
        ports.push_back(signal);
        return numbers[name] = ports.size() - 1;
    }

    int lanes() { return 1; }
    int width(int port) { return ports[port].width; }
    size_t size(int port) { return (ports[port].width + 7) / 8; }

    void put(int port, const uint8_t *bytes) {
        uint32_t *words = ports[port].parts[0].next;
        std::memcpy(words, bytes, size(port));
        if (int used = ports[port].width % 32)
            words[ports[port].width / 32] &= (1u << used) - 1;
    }

    void get(int port, uint8_t *bytes) {
        if (ports[port].parts.size() == 1)
            std::memcpy(bytes, ports[port].parts[0].curr, size(port));
        else
            ports[port].read(bytes);
    }

    void put_flag(int port, bool value) { ports[port].parts[0].next[0] = value; }
    int flag(int port) { return ports[port].parts[0].curr[0]; }

#if HWGEN_FEEDBACK
    // The clock falls once the inputs of the new cycle stand.
    void look() {
        top.HWGEN_CLOCK = cxxrtl::value<1>{0u};
        top.step();
        top.step();
    }
    void begin() { look(); }
    void end() {
        top.HWGEN_CLOCK = cxxrtl::value<1>{1u};
        top.step();
    }
#else
    // One evaluation per cycle: with the clock risen but nothing committed, outputs still show the
    // state before the edge.
    void look() {
        top.HWGEN_CLOCK = cxxrtl::value<1>{0u};
        top.eval();
    }
    void begin() {
        top.HWGEN_CLOCK = cxxrtl::value<1>{1u};
        top.eval();
    }
    void end() {
        top.commit();
        top.HWGEN_CLOCK = cxxrtl::value<1>{0u};
        top.HWGEN_PREVIOUS = cxxrtl::value<1>{0u};
    }
#endif

    bool find(const char *name, Signal &signal) {
        if (!items.count(name))
            return false;
        signal.parts = items.at(name);
        for (auto &part : signal.parts)
            signal.width = std::max<int>(signal.width, part.lsb_at + part.width);
        return true;
    }

    void sample() {
        for (size_t k = 0; k < watched.size(); ++k) {
            uint64_t value = 0;
            watched[k].evaluate();
            watched[k].read(reinterpret_cast<uint8_t *>(&value));
            highest[k] = std::max(highest[k], value);
        }
    }
};

}  // namespace

#include "driver.hpp"

extern "C" {

Machine *sim_create() { return new Machine; }

// Width of a signal, or -1; its bytes, least significant first, if there is room for them.
int sim_signal(Machine *m, const char *name, uint8_t *bytes, int room) {
    Signal signal;
    if (!m->find(name, signal))
        return -1;
    if (room >= (signal.width + 7) / 8) {
        m->look();
        signal.evaluate();
        signal.read(bytes);
    }
    return signal.width;
}

// Number of a signal of at most 64 bits whose highest value is kept from now on, or -1.
int sim_watch(Machine *m, const char *name) {
    Signal signal;
    if (!m->find(name, signal) || signal.width > 64)
        return -1;
    m->watched.push_back(signal);
    m->highest.push_back(0);
    return m->watched.size() - 1;
}

uint64_t sim_highest(Machine *m, int number) { return m->highest[number]; }
}

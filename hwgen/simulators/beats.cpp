// A dataflow graph as beats that come and go, whatever they say. Each core moves as
// `cores/stalling.py` tells; a beat at the two ends of the graph has a byte that means nothing.

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace {

enum Kind { RIGID, EMITTING, STORED, SPARE, RING, READING, SCANNING };

struct Node {
    int64_t kind, inputs, outputs;
    const int64_t *edges;  // of the inputs, then of the outputs
    int64_t depth;
    int64_t cycles;                  // steps of a frame; STORED: cycles from step to write
    const uint32_t *steps;           // RIGID, EMITTING: ports read, from bit 16 on ports emitted
    int64_t words, fetched;          // STORED, RING
    int64_t beats;                   // READING, SCANNING
    const int64_t *needed, *credit;  // READING
    int64_t groups, tail, over;      // SCANNING
    int64_t windows;
    const int64_t *gaps;
};

struct State {
    int64_t at = 0;         // step of the frame; SCANNING: beat of the frame
    uint64_t pipe = 0;      // what the steps before emitted, the youngest in bit 0
    int64_t stored = 0;     // SCANNING: scans left behind a frame
    int64_t other = 0;      // STORED: words that are free; SCANNING: scans ahead of the beats
    int64_t wait = 0, window = 0, group = 0;  // SCANNING
    int64_t fetched = 0;
    int64_t back = 0;       // STORED
};

struct Decision {
    bool free, step, load;
};

template <class T> const T *address(int64_t number) { return reinterpret_cast<const T *>(number); }

struct Machine {
    std::vector<int64_t> table;
    std::vector<Node> nodes;
    std::vector<State> states;
    std::vector<Decision> decisions;
    std::vector<uint8_t> valid, ready;  // per edge; first the graph's input, last its output
    std::vector<int64_t> producer, consumer;  // per edge, -1 at the ends of the graph
    std::vector<int64_t> buffers, level, highest;
    // Nodes that something changed for, a bit each: all others would do nothing, as before.
    std::vector<uint64_t> awake;
    std::vector<int64_t> active;

    explicit Machine(const int64_t *from, int64_t size) : table(from, from + size) {
        const int64_t *at = table.data();
        const int64_t count = *at++, edges = *at++;
        valid.assign(edges, 0);
        ready.assign(edges, 0);
        producer.assign(edges, -1);
        consumer.assign(edges, -1);
        for (int64_t k = 0; k < count; ++k) {
            Node n{};
            State s;
            n.kind = *at++, n.inputs = *at++, n.outputs = *at++;
            n.edges = at;
            at += n.inputs + n.outputs;
            for (int64_t p = 0; p < n.inputs + n.outputs; ++p)
                (p < n.inputs ? consumer : producer)[n.edges[p]] = k;
            n.depth = *at++;
            switch (n.kind) {
            case RIGID:
            case EMITTING:
                n.cycles = *at++, n.steps = address<uint32_t>(*at++);
                break;
            case STORED:
                s.other = n.words = *at++, n.cycles = *at++;
                break;
            case RING:
                n.words = *at++, n.fetched = *at++;
                break;
            case READING:
                n.cycles = *at++, n.beats = *at++;
                n.needed = address<int64_t>(*at++), n.credit = address<int64_t>(*at++);
                break;
            case SCANNING:
                n.beats = *at++, n.groups = *at++, s.stored = n.tail = *at++, n.over = *at++;
                s.wait = *at++, n.windows = *at++, n.gaps = address<int64_t>(*at++);
                break;
            }
            if (n.kind == SPARE || n.kind == RING)
                buffers.push_back(k);
            nodes.push_back(n);
            states.push_back(s);
        }
        decisions.resize(count);
        awake.assign(count / 64 + 1, 0);
        for (int64_t k = 0; k < count; ++k)
            wake(k);
        level.assign(count, 0);
        highest.assign(count, 0);
    }

    void wake(int64_t node) {
        if (node >= 0)
            awake[node / 64] |= (uint64_t)1 << node % 64;
    }
    void offer(int64_t edge, bool value) {
        if (valid[edge] != value)
            valid[edge] = value, wake(consumer[edge]), wake(producer[edge]);
    }
    void answer(int64_t edge, bool value) {
        if (ready[edge] != value)
            ready[edge] = value, wake(producer[edge]);
    }

    // What a node does in this cycle, and with that `ready` of its inputs.
    Decision decide(const Node &n, const State &s) {
        const int64_t *in = n.edges, *out = n.edges + n.inputs;
        bool free = true;
        for (int64_t q = 0; q < n.outputs; ++q)
            free &= !valid[out[q]] | ready[out[q]];
        switch (n.kind) {
        case RIGID:
        case EMITTING: {
            const uint32_t mask = n.steps[s.at];
            bool step = free | (n.kind == EMITTING && !(mask >> 16));
            for (int64_t p = 0; p < n.inputs; ++p)
                step &= valid[in[p]] | !(mask >> p & 1);
            for (int64_t p = 0; p < n.inputs; ++p)
                answer(in[p], step & (mask >> p & 1));
            return {free, step, false};
        }
        case READING: {
            int64_t frame = 0, beat = s.stored;
            for (; beat < 0; beat += n.beats)
                --frame;
            for (; beat >= n.beats; beat -= n.beats)
                ++frame;
            answer(in[0], s.at >= n.credit[beat] + frame * n.cycles);
            return {free, free && s.stored >= n.needed[s.at], ready[in[0]] && valid[in[0]]};
        }
        case SCANNING: {
            const bool alone = s.stored, late = s.other;
            answer(in[0], free && !(alone && (late || s.stored <= n.over)));
            const bool step = free && (alone || (valid[in[0]] && !late));
            return {free, step, ready[in[0]] && valid[in[0]]};
        }
        case STORED:
            answer(in[0], s.other > 0);
            break;
        case SPARE:
            answer(in[0], !s.stored);
            break;
        case RING:
            answer(in[0], s.stored < n.words);
            break;
        }
        return {free, ready[in[0]] && valid[in[0]], false};
    }

    // Through a pipeline of that depth, whose last register is the output's.
    static bool through(const Node &n, State &s, bool emitted) {
        const uint64_t all = s.pipe << 1 | emitted;
        s.pipe = all & (((uint64_t)1 << (n.depth - 1)) - 1);
        return all >> (n.depth - 1) & 1;
    }

    void change(const Node &n, State &s, const Decision &d, int64_t k) {
        const int64_t *out = n.edges + n.inputs;
        bool shown = valid[out[0]];
        const bool taken = shown && ready[out[0]];
        bool moved = taken || d.step || d.load || (d.free && s.pipe);
        switch (n.kind) {
        case RIGID:
        case EMITTING: {
            uint32_t emitted = 0;
            if (d.step) {
                emitted = n.steps[s.at] >> 16;
                s.at = s.at + 1 == n.cycles ? 0 : s.at + 1;
            }
            if (!d.free || n.outputs > 1) {
                shown = (shown && !taken) || (emitted & 1);
                for (int64_t q = 1; q < n.outputs; ++q)
                    offer(out[q], (valid[out[q]] && !ready[out[q]]) || (emitted >> q & 1));
            } else {
                shown = through(n, s, emitted);
            }
            break;
        }
        case STORED: {
            const uint64_t all = s.pipe << 1 | d.step;
            const bool written = all >> n.cycles & 1, read = s.stored && d.free;
            moved |= s.pipe || s.stored || s.fetched || s.back;
            s.pipe = all & (((uint64_t)1 << n.cycles) - 1);
            s.other += s.back - d.step;  // a word is free a cycle after it is read
            s.back = read;
            s.stored += written - read;
            if (d.free)
                shown = s.fetched, s.fetched = read;
            break;
        }
        case SPARE:
            if (d.free)
                shown = d.step || s.stored, s.stored = 0;
            else
                s.stored |= d.step;
            break;
        case RING: {
            const bool some = s.stored > 0;
            bool fetch = some && d.free, data = some;
            if (n.fetched) {
                fetch = some && (!s.fetched || d.free);
                data = s.fetched;
                if (fetch || d.free)
                    s.fetched = fetch;
            }
            moved |= fetch;
            s.stored += d.step - fetch;
            if (d.free)
                shown = data;
            break;
        }
        case READING:
            s.stored += d.load;
            s.at += d.step;
            if (s.at == n.cycles)
                s.at = 0, s.stored -= n.beats;
            if (d.free)
                shown = through(n, s, d.step);
            break;
        case SCANNING: {
            const bool emitted = d.step && s.wait == 0;
            s.at += d.load;
            if (s.at == n.beats)
                s.at = 0, s.stored = n.tail;
            else if (d.step && s.stored)
                --s.stored;
            s.other += d.step - d.load;
            if (d.step && ++s.group == n.groups) {
                s.group = 0;
                if (emitted) {
                    s.wait = n.gaps[s.window];
                    s.window = s.window + 1 == n.windows ? 0 : s.window + 1;
                }
                --s.wait;
            }
            if (d.free)
                shown = through(n, s, emitted);
            break;
        }
        }
        if (n.kind == SPARE || n.kind == RING) {
            level[k] += d.step - taken;
            if (level[k] > highest[k])
                highest[k] = level[k];
        }
        offer(out[0], shown);
        if (moved)
            wake(k);
    }

    int port(const char *name) {
        const char *names[] = {"i__payload", "i__valid", "i__ready",
                               "o__payload", "o__valid", "o__ready"};
        for (int k = 0; k < 6; ++k)
            if (!std::strcmp(name, names[k]))
                return k;
        return -1;
    }
    int lanes() { return 1; }
    int width(int port) { return port % 3 ? 1 : 8; }
    size_t size(int) { return 1; }
    void put(int, const uint8_t *) {}
    void get(int, uint8_t *bytes) { *bytes = 0; }
    void put_flag(int port, bool value) {
        if (port == 1)
            offer(0, value);
        else
            answer(ready.size() - 1, value);
    }
    int flag(int port) { return port == 2 ? ready.front() : valid.back(); }

    // From the outputs backwards, as `ready` goes.
    void look() {
        active.clear();
        for (size_t at = awake.size(); at-- > 0;)
            while (awake[at]) {
                const int bit = 63 - __builtin_clzll(awake[at]);
                awake[at] ^= (uint64_t)1 << bit;
                const int64_t k = 64 * at + bit;
                decisions[k] = decide(nodes[k], states[k]);
                active.push_back(k);
            }
    }
    void begin() { look(); }
    void end() {
        for (int64_t k : active)
            change(nodes[k], states[k], decisions[k], k);
    }
    void sample() {}
    bool still() const {
        for (uint64_t some : awake)
            if (some)
                return false;
        return true;
    }
};

}  // namespace

#include "driver.hpp"

extern "C" {

Machine *sim_create(const int64_t *table, int64_t size) { return new Machine(table, size); }

int64_t sim_highest(Machine *m, int64_t *found) {
    for (int64_t k : m->buffers)
        *found++ = m->highest[k];
    return m->buffers.size();
}

// Cycles of the last frame, with beats offered all the time, once two frames end in the same state
// or `steady` frames in a row took `interval` cycles; -1 if everything stands still, -2 if none of
// this happens in so many frames. Before these, `pauses` frames come with random pauses at both
// ends; then, with `jam`, nothing is taken before everything stands still.
int64_t sim_settle(Machine *m, int64_t beats, int64_t pauses, int64_t jam, int64_t interval,
                   int64_t steady, int64_t frames) {
    std::vector<uint8_t> valid;
    std::vector<State> states;
    Stall source{1, 1u << 31}, sink{2, 1u << 31};
    int64_t given = -pauses * beats, cycle = 0, last = 0, right = 0;
    bool offering = false, closed = jam;
    for (;; ++cycle) {
        const bool free = given >= 0, open = free ? !closed : !sink();
        offering = offering || free || !source();
        m->put_flag(1, offering);
        m->put_flag(5, open);
        m->begin();
        const bool taken = open && m->valid.back(), sent = offering && m->ready.front();
        m->end();
        if (taken && ++given > 0 && given % beats == 0) {
            const int64_t gap = cycle - last;
            last = cycle;
            if (given > beats) {
                right = gap == interval ? right + 1 : 0;
                if (right == steady ||
                    (valid == m->valid && !std::memcmp(states.data(), m->states.data(),
                                                       states.size() * sizeof(State))))
                    return gap;
            }
            if (given == frames * beats)
                return -2;
            valid = m->valid;
            states = m->states;
        }
        if (m->still()) {
            if (offering && open)
                return -1;
            if (free)
                closed = false;
        }
        offering = offering && !sent;
    }
}
}

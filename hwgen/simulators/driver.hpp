// Drives a machine cycle by cycle: streams, pins, a serial line. Included by compiled.cpp and
// netlist.cpp after they have defined `Machine`, whose members are
//   int port(name), int width(port)
//   size_t size(port)             bytes that put and get move
//   void put(port, bytes), void get(port, bytes)
//   void put_flag(port, bool)     a one-bit port, the same in every lane
//   int flag(port)                0, 1, or -1 where lanes disagree
//   int lanes()                   copies that run in step; bit k of a port's bytes is lane k's
//   void look()                   outputs follow the inputs, without a clock edge
//   void begin(), void end()      one clock cycle: outputs follow the inputs; then the edge
//   void sample()                 called once per cycle, between begin and end

#include <algorithm>
#include <cstdint>
#include <vector>

namespace {

enum Status { DONE = 0, STUCK = 1, DISAGREE = 2, SURPLUS = 3, FRAMING = 4 };

// Pauses with a probability of threshold / 2^32 (splitmix64).
struct Stall {
    uint64_t state, threshold;
    bool operator()() {
        if (!threshold)
            return false;
        uint64_t z = state += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return (z ^ z >> 31) >> 32 < threshold;
    }
};

// Sends bits at a fixed number of cycles per bit; the line idles high.
struct Transmitter {
    const uint8_t *bytes;
    int64_t count, divider, sent = 0, cycle = 0;
    template <class M> void drive(M &machine, int pin) {
        int64_t bit = cycle / divider;
        if (sent == count || bit == 9)
            machine.put_flag(pin, true);
        else if (bit == 0)
            machine.put_flag(pin, false);
        else
            machine.put(pin, bytes + (sent * 8 + bit - 1) * machine.size(pin));
    }
    bool advance() {  // true when a byte is through
        if (sent == count || ++cycle < 10 * divider)
            return false;
        cycle = 0;
        ++sent;
        return true;
    }
};

// Samples every bit in its middle, in each lane by its own start bits.
struct Receiver {
    uint8_t *bytes;
    int64_t count, divider;
    struct Lane {
        int64_t received = 0, cycle = -1;
    };
    std::vector<Lane> lanes;
    std::vector<uint8_t> levels;
    int64_t complete = 0, busy = 0;

    Receiver(uint8_t *bytes, int64_t count, int64_t divider, int lanes, size_t size)
        : bytes(bytes), count(count), divider(divider), lanes(lanes), levels(size) {
        if (count == 0)
            complete = lanes;
    }

    bool finished() const { return complete == int64_t(lanes.size()); }
    // Bytes that have come in every lane.
    int64_t received() const {
        int64_t least = count;
        for (auto &lane : lanes)
            least = std::min(least, lane.received);
        return least;
    }

    template <class M> int watch(M &machine, int pin, bool &done) {
        done = false;
        machine.get(pin, levels.data());
        if (!busy) {
            bool high = true;
            for (size_t k = 0; k < lanes.size(); ++k)
                high &= levels[k / 8] >> k % 8 & 1;
            if (high)
                return DONE;
        }
        for (size_t k = 0; k < lanes.size(); ++k) {
            Lane &lane = lanes[k];
            const bool level = levels[k / 8] >> k % 8 & 1;
            if (lane.cycle < 0) {
                if (level)
                    continue;
                if (lane.received == count)
                    return SURPLUS;
                lane.cycle = 0;
                ++busy;
            }
            const int64_t bit = lane.cycle / divider;
            if (lane.cycle++ % divider != divider / 2)
                continue;
            if (bit >= 1 && bit <= 8) {
                if (level)
                    bytes[(lane.received * 8 + bit - 1) * levels.size() + k / 8] |= 1 << k % 8;
                continue;
            }
            if (level != (bit == 9))
                return FRAMING;
            if (bit == 9) {
                lane.cycle = -1;
                --busy;
                complete += ++lane.received == count;
                done = true;
            }
        }
        return DONE;
    }
};

}  // namespace

extern "C" {

void sim_destroy(Machine *m) { delete m; }
int sim_port(Machine *m, const char *name) { return m->port(name); }
int sim_width(Machine *m, int port) { return m->width(port); }
void sim_put(Machine *m, int port, const uint8_t *bytes) { m->put(port, bytes); }

void sim_get(Machine *m, int port, uint8_t *bytes) {
    m->look();
    m->get(port, bytes);
}

void sim_step(Machine *m, int64_t cycles) {
    while (cycles--) {
        m->begin();
        m->sample();
        m->end();
    }
}

// ports: payload, valid, ready of the input, then of the output.
// stalls: threshold and seed of the source, then of the sink.
// moved: beats in, beats out, cycles.
int sim_stream(Machine *m, const int32_t *ports, const uint8_t *in, int64_t n_in, uint8_t *out,
               int64_t n_out, int64_t *in_cycles, int64_t *out_cycles, const uint64_t *stalls,
               int64_t patience, int64_t drain, int64_t *moved) {
    const int i_payload = ports[0], i_valid = ports[1], i_ready = ports[2];
    const int o_payload = ports[3], o_valid = ports[4], o_ready = ports[5];
    const size_t i_size = m->size(i_payload), o_size = m->size(o_payload);
    Stall source{stalls[1], stalls[0]}, sink{stalls[3], stalls[2]};
    std::vector<uint8_t> junk(i_size);
    int64_t sent = 0, given = 0, cycle = 0, idle = 0, rest = drain;
    bool offering = false;
    int status = DONE;
    for (;; ++cycle) {
        bool finished = sent == n_in && given == n_out;
        if (finished && rest-- == 0)
            break;
        if (idle++ > patience && !finished) {
            status = STUCK;
            break;
        }
        if (!offering && sent < n_in && !source()) {
            offering = true;
            m->put(i_payload, in + sent * i_size);
        }
        const bool ready = !sink();
        m->put_flag(i_valid, offering);
        m->put_flag(o_ready, ready);
        m->begin();
        m->sample();
        const int taken = m->flag(i_ready), valid = m->flag(o_valid);
        if (taken < 0 || valid < 0) {
            status = DISAGREE;
            break;
        }
        if (valid && given == n_out) {
            status = SURPLUS;
            break;
        }
        if (valid && ready) {
            m->get(o_payload, out + given * o_size);
            out_cycles[given++] = cycle;
            idle = 0;
        }
        m->end();
        if (offering && taken) {
            // What stands at the port while `valid` is low must not matter.
            for (size_t k = 0; k < i_size; ++k)
                junk[k] = ~in[sent * i_size + k];
            m->put(i_payload, junk.data());
            in_cycles[sent++] = cycle;
            offering = false;
            idle = 0;
        }
    }
    moved[0] = sent;
    moved[1] = given;
    moved[2] = cycle;
    return status;
}

// Eight bits per byte, least significant first, each of the size of its pin. Lanes may answer at
// different times. `out` begins as zeros.
int sim_uart(Machine *m, int rx, int tx, int64_t divider, const uint8_t *in, int64_t n_in,
             uint8_t *out, int64_t n_out, int64_t patience, int64_t *moved) {
    Transmitter transmitter{in, n_in, divider};
    Receiver receiver(out, n_out, divider, m->lanes(), m->size(tx));
    int64_t cycle = 0, idle = 0;
    int status = DONE;
    while (transmitter.sent < n_in || !receiver.finished()) {
        if (idle++ > patience) {
            status = STUCK;
            break;
        }
        transmitter.drive(*m, rx);
        m->begin();
        m->sample();
        bool received;
        status = receiver.watch(*m, tx, received);
        if (status != DONE)
            break;
        m->end();
        ++cycle;
        if (transmitter.advance() || received)
            idle = 0;
    }
    m->put_flag(rx, true);
    moved[0] = transmitter.sent;
    moved[1] = receiver.received();
    moved[2] = cycle;
    return status;
}

// A serial line whose state outlives the call, the same in every lane; whole bytes in and out.
// line: bits being sent, cycle within them or -1, byte being received, cycle within it or -1.
// Ends after `cycles`, with `room` bytes received, or behind a byte equal to `stop`.
int sim_line(Machine *m, int rx, int tx, int64_t divider, int64_t *line, const uint8_t *in,
             int64_t n_in, uint8_t *out, int64_t room, int stop, int64_t cycles, int64_t *moved) {
    int64_t &sending = line[0], &at = line[1], &receiving = line[2], &since = line[3];
    int64_t sent = 0, received = 0, cycle = 0;
    int status = DONE;
    bool ended = room == 0;
    while (!ended && cycle < cycles) {
        if (at < 0 && sent < n_in) {
            sending = in[sent++] << 1 | 1 << 9;
            at = 0;
        }
        m->put_flag(rx, at < 0 || sending >> at / divider & 1);
        m->begin();
        m->sample();
        const int level = m->flag(tx);
        m->end();
        ++cycle;
        if (at >= 0 && ++at == 10 * divider)
            at = -1;
        if (level < 0) {
            status = DISAGREE;
            break;
        }
        if (since < 0) {
            if (level)
                continue;
            since = receiving = 0;
        }
        const int64_t bit = since / divider;
        if (since++ % divider != divider / 2)
            continue;
        if (bit == 0 || bit == 9) {
            if (level != (bit == 9)) {
                status = FRAMING;
                break;
            }
        } else {
            receiving |= int64_t(level) << (bit - 1);
        }
        if (bit == 9) {
            since = -1;
            out[received++] = receiving;
            ended = received == room || receiving == stop;
        }
    }
    moved[0] = sent;
    moved[1] = received;
    moved[2] = cycle;
    return status;
}
}

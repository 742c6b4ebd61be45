/* The peer of our benchmark: what a tight program on rabbitmq-c does with one connection.
 *
 * One channel, publisher confirms, manual acknowledgement. All frames that one read brought are
 * handled before the next read; nothing is copied that fits in one frame. Every wait has a
 * deadline; an error ends the program with a sentence on standard error. */
#ifndef RABBITMQC_PEER_H
#define RABBITMQC_PEER_H

#include <amqp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
  peer_channel = 1,
  peer_confirm_window = 1000,
  peer_most_outstanding = 65536, /* unconfirmed publishes before the program gives up */
  peer_wait_seconds = 30
};

/* Whether each message has its own basic.ack, or one covers all that a read brought. */
typedef enum { ack_each, ack_folded } ack_mode;

typedef struct {
  amqp_connection_state_t conn;
  ack_mode acks;
  uint64_t published, confirmed; /* all up to `confirmed` */
  uint8_t early[peer_most_outstanding];
  uint64_t unacked_tag; /* highest tag to acknowledge with the next folded ack; 0 = none */
  /* The message being read. */
  uint64_t tag;
  amqp_basic_properties_t* properties;
  amqp_bytes_t body;
  size_t expected, received;
  unsigned char* assembled; /* only for bodies of more than one frame */
  size_t assembled_size;
} peer;

/* Valid until the next peer_pump. */
typedef struct {
  uint64_t tag;
  const amqp_basic_properties_t* properties;
  amqp_bytes_t body;
} peer_message;

void peer_open(peer* p, const char* url, ack_mode acks);
/* Ends with a round trip, so that the broker has read all that was written. */
void peer_close(peer* p);

void peer_declare_topic(peer* p, const char* exchange, const char* queue);
/* A queue of its own for each of the `queues` readers of a fanout exchange: `prefix`0 and so on. */
void peer_declare_fanout(peer* p, const char* exchange, const char* prefix, unsigned queues);
void peer_delete_exchange(peer* p, const char* exchange);
void peer_declare_reply_queue(peer* p, const char* queue);
uint32_t peer_queue_depth(peer* p, const char* queue);
void peer_delete_queue(peer* p, const char* queue);
void peer_consume(peer* p, const char* queue);

void peer_publish(peer* p, amqp_bytes_t exchange, amqp_bytes_t key, bool mandatory,
                  const amqp_basic_properties_t* properties, amqp_bytes_t body);
/* Waits at most so long for something to read. To the microsecond: rabbitmq-c counts in
 * milliseconds. */
bool peer_readable(peer* p, double seconds);
/* Reads one frame. True: it completed a message. */
bool peer_pump(peer* p, peer_message* m);
void peer_ack(peer* p, uint64_t tag);
void peer_await_confirms(peer* p, uint64_t at_most_outstanding);

/* Properties that oslo.messaging sets, plus the two that a bare AMQP call needs. */
amqp_basic_properties_t peer_properties(void);

/* Bodies in oslo's form: JSON of `overhead` bytes around an argument. `kind` is a number of bytes,
 * or "simulator": 1,000 lengths distributed as those of oslo.messaging's simulator. */
enum { peer_most_bodies = 1000 };
typedef struct {
  size_t count, overhead, longest; /* longest: of a whole body */
  amqp_bytes_t body[peer_most_bodies];
} peer_bodies;
void peer_make_bodies(peer_bodies* b, const char* kind, size_t overhead);
void peer_free_bodies(peer_bodies* b);
/* A JSON envelope in oslo's form of exactly `size` bytes (at least 80). */
amqp_bytes_t peer_body(size_t size);

double peer_now(void);                  /* seconds, monotonic */
double peer_cpu_seconds(pid_t process); /* user + system; 0 = this one */
long peer_peak_kib(pid_t process);      /* 0 = this one */
/* Prints "latency_us": {...}; sorts `seconds`. */
void peer_print_latencies(float* seconds, size_t count);
/* Prints , "broker": us inside of "cpu_us", where there is a process that is the broker. */
void peer_print_broker(pid_t broker, double us);
/* A whole number of the command line, 0 to 100,000,000. */
unsigned long peer_number(const char* text);
void peer_die(const char* format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif

/* rabbitmqc_rpc --url amqp://… [--in-flight W] [--rate R] [--count N] [--body BYTES|simulator]
 *               [--overhead B] [--reply-overhead B] [--acks each|folded] [--broker-pid P]
 *
 * Calls over RabbitMQ as tightly as rabbitmq-c makes them: an echo server in a child process, a
 * client with W calls in flight. Confirms on at both ends, replies mandatory, each message
 * acknowledged: what oslo.messaging does for a call. A reply is as long as its request, but for the
 * two envelopes. Prints one JSON line.
 *
 * With --rate calls leave at fixed times whatever became of those before, up to 20,000 under way,
 * and a latency counts from the moment the call was due; --in-flight is for the warm-up then. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rabbitmqc_peer.h"

enum { most_in_flight = 20000 };

typedef struct {
  const char* url;
  uint32_t in_flight, count;
  uint32_t rate; /* a second; 0 = the next call when one is answered */
  const char* body;
  size_t overhead, reply_overhead;
  ack_mode acks;
  pid_t broker;
} settings;

static const char exchange_name[] = "bench_rabbitmqc";
static char request_queue[64], reply_queue[64];

/* ---- server ---------------------------------------------------------------------------------- */

static void serve(const settings* s, int ready_pipe) {
  peer p;
  peer_open(&p, s->url, s->acks);
  peer_declare_topic(&p, exchange_name, request_queue);
  peer_consume(&p, request_queue);
  if (write(ready_pipe, "r", 1) != 1) peer_die("the client is gone");
  peer_bodies requests;
  peer_make_bodies(&requests, s->body, s->overhead);
  amqp_bytes_t longest = peer_body(requests.longest + s->reply_overhead);
  peer_message m;
  for (;;) {
    if (!peer_pump(&p, &m)) continue;
    if (m.body.len == 0) { /* the client has finished */
      peer_ack(&p, m.tag);
      break;
    }
    amqp_basic_properties_t props = peer_properties();
    props._flags |= AMQP_BASIC_CORRELATION_ID_FLAG;
    props.correlation_id = m.properties->correlation_id;
    amqp_bytes_t body = {m.body.len - s->overhead + s->reply_overhead, longest.bytes};
    peer_publish(&p, amqp_empty_bytes, m.properties->reply_to, true, &props, body);
    peer_ack(&p, m.tag);
  }
  peer_await_confirms(&p, 0);
  peer_delete_queue(&p, request_queue);
  peer_close(&p);
  amqp_bytes_free(longest);
  peer_free_bodies(&requests);
}

/* ---- client ---------------------------------------------------------------------------------- */

typedef struct {
  peer p;
  double sent[most_in_flight]; /* by slot: what its latency counts from */
  peer_bodies bodies;
  uint32_t calls;
  amqp_bytes_t exchange, key;
  amqp_basic_properties_t props;
} client;

static void call(client* c, uint32_t slot, double since) {
  c->props.correlation_id.bytes = &slot;
  c->props.correlation_id.len = sizeof slot;
  c->sent[slot] = since;
  peer_publish(&c->p, c->exchange, c->key, false, &c->props,
               c->bodies.body[c->calls++ % c->bodies.count]);
}

/* The slot of the call that this answers. */
static uint32_t answered_slot(const peer_message* m, uint32_t slots) {
  uint32_t slot;
  if (m->properties->correlation_id.len != sizeof slot) peer_die("a reply without its call");
  memcpy(&slot, m->properties->correlation_id.bytes, sizeof slot);
  if (slot >= slots) peer_die("a reply to no call");
  return slot;
}

/* Makes `count` calls, at most `in_flight` at once, and waits for each answer. */
static void run(client* c, uint32_t in_flight, uint32_t count, float* latencies) {
  uint32_t started = 0, answered = 0;
  while (started < in_flight && started < count) call(c, started++, peer_now());
  peer_message m;
  while (answered < count) {
    if (!peer_pump(&c->p, &m)) continue;
    uint32_t slot = answered_slot(&m, in_flight);
    float latency = (float)(peer_now() - c->sent[slot]);
    if (latencies) latencies[answered] = latency;
    ++answered;
    if (started < count) {
      ++started;
      call(c, slot, peer_now());
    }
    peer_ack(&c->p, m.tag);
  }
}

/* Makes `count` calls at fixed times, and returns how many a second it sent. */
static double run_at_rate(client* c, double rate, uint32_t count, float* latencies) {
  static uint32_t unused[most_in_flight];
  uint32_t left = most_in_flight;
  for (uint32_t slot = 0; slot < most_in_flight; ++slot) unused[slot] = slot;
  prctl(PR_SET_TIMERSLACK, 1); /* the kernel's 50 us would be in every latency */
  peer_message m;
  double begin = peer_now(), last = begin;
  for (uint32_t sent = 0, answered = 0; answered < count;) {
    double wait = peer_wait_seconds;
    while (sent < count && left > 0) {
      double due = begin + sent / rate, now = peer_now();
      if (due > now) {
        wait = due - now;
        break;
      }
      call(c, unused[--left], due);
      last = now;
      ++sent;
    }
    if (!peer_readable(&c->p, wait)) {
      if (wait >= peer_wait_seconds && left < most_in_flight) peer_die("no answers any more");
      continue;
    }
    if (!peer_pump(&c->p, &m)) continue;
    uint32_t slot = answered_slot(&m, most_in_flight);
    latencies[answered++] = (float)(peer_now() - c->sent[slot]);
    unused[left++] = slot;
    peer_ack(&c->p, m.tag);
  }
  return (count - 1) / (last - begin);
}

static void measure(const settings* s, pid_t server) {
  static client c;
  peer_open(&c.p, s->url, s->acks);
  peer_declare_reply_queue(&c.p, reply_queue);
  peer_consume(&c.p, reply_queue);
  peer_make_bodies(&c.bodies, s->body, s->overhead);
  c.exchange = amqp_cstring_bytes(exchange_name);
  c.key = amqp_cstring_bytes(request_queue);
  c.props = peer_properties();
  c.props._flags |=
      AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_EXPIRATION_FLAG;
  c.props.reply_to = amqp_cstring_bytes(reply_queue);
  c.props.expiration = amqp_cstring_bytes("60000");
  float* latencies = calloc(s->count, sizeof *latencies);
  if (!latencies) peer_die("out of memory");

  run(&c, s->in_flight, s->count / 10 + 1, NULL); /* warm-up */
  double client_cpu = peer_cpu_seconds(0), server_cpu = peer_cpu_seconds(server);
  double broker_cpu = s->broker ? peer_cpu_seconds(s->broker) : 0;
  double begin = peer_now(), sent_rate = 0;
  if (s->rate)
    sent_rate = run_at_rate(&c, s->rate, s->count, latencies);
  else
    run(&c, s->in_flight, s->count, latencies);
  double seconds = peer_now() - begin;
  client_cpu = peer_cpu_seconds(0) - client_cpu;
  server_cpu = peer_cpu_seconds(server) - server_cpu;
  broker_cpu = s->broker ? peer_cpu_seconds(s->broker) - broker_cpu : 0;
  long server_kib = peer_peak_kib(server);

  amqp_basic_properties_t end = peer_properties();
  peer_publish(&c.p, c.exchange, c.key, false, &end, amqp_empty_bytes);
  peer_await_confirms(&c.p, 0);
  peer_delete_queue(&c.p, reply_queue);
  peer_close(&c.p);

  double n = s->count;
  printf(
      "{\"mode\": \"call\", \"in_flight\": %u, \"count\": %u, \"seconds\": %.6f, \"rate\": %.1f, ",
      s->in_flight, s->count, seconds, n / seconds);
  peer_print_latencies(latencies, s->count);
  printf(", \"cpu_us\": {\"client\": %.2f, \"server\": %.2f", 1e6 * client_cpu / n,
         1e6 * server_cpu / n);
  peer_print_broker(s->broker, 1e6 * broker_cpu / n);
  printf("}, ");
  if (s->rate)
    printf("\"open_loop\": {\"rate\": %u, \"sent\": %.1f, \"reached\": %s}, ", s->rate, sent_rate,
           sent_rate >= 0.99 * s->rate ? "true" : "false");
  printf(
      "\"peak_memory_kib\": {\"client\": %ld, \"server\": %ld}, "
      "\"connections\": {\"client\": 1, \"server\": 1}, \"errors\": 0}\n",
      peer_peak_kib(0), server_kib);
  free(latencies);
  peer_free_bodies(&c.bodies);
}

/* ---- main ------------------------------------------------------------------------------------ */

static settings read_arguments(int argc, char** argv) {
  settings s = {
      .in_flight = 1, .count = 5000, .body = "100", .overhead = 276, .reply_overhead = 215};
  for (int i = 1; i + 1 < argc; i += 2) {
    const char* value = argv[i + 1];
    if (!strcmp(argv[i], "--url"))
      s.url = value;
    else if (!strcmp(argv[i], "--in-flight"))
      s.in_flight = (uint32_t)peer_number(value);
    else if (!strcmp(argv[i], "--rate")) {
      s.rate = (uint32_t)peer_number(value);
      if (s.rate == 0) peer_die("--rate is 0");
    } else if (!strcmp(argv[i], "--count"))
      s.count = (uint32_t)peer_number(value);
    else if (!strcmp(argv[i], "--body"))
      s.body = value;
    else if (!strcmp(argv[i], "--overhead"))
      s.overhead = peer_number(value);
    else if (!strcmp(argv[i], "--reply-overhead"))
      s.reply_overhead = peer_number(value);
    else if (!strcmp(argv[i], "--broker-pid"))
      s.broker = (pid_t)peer_number(value);
    else if (!strcmp(argv[i], "--acks"))
      s.acks = strcmp(value, "folded") ? ack_each : ack_folded;
    else
      peer_die("unknown option %s", argv[i]);
  }
  if (!s.url) peer_die("--url is missing");
  if (s.in_flight == 0 || s.in_flight > most_in_flight) peer_die("--in-flight is not 1 to 20,000");
  if (s.count < (s.rate ? 2 : 1)) peer_die("--count is not at least 1, with --rate 2");
  if (s.overhead < 80 || s.reply_overhead < 80) peer_die("an envelope has at least 80 bytes");
  return s;
}

int main(int argc, char** argv) {
  settings s = read_arguments(argc, argv);
  snprintf(request_queue, sizeof request_queue, "bench_rabbitmqc_%d", (int)getpid());
  snprintf(reply_queue, sizeof reply_queue, "bench_rabbitmqc_reply_%d", (int)getpid());
  int ready[2];
  if (pipe(ready) != 0) peer_die("pipe: %s", strerror(errno));
  pid_t server = fork();
  if (server < 0) peer_die("fork: %s", strerror(errno));
  if (server == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ready[0]);
    serve(&s, ready[1]);
    return 0;
  }
  close(ready[1]);
  char byte;
  if (read(ready[0], &byte, 1) != 1) peer_die("the server did not start");
  measure(&s, server);
  int status;
  if (waitpid(server, &status, 0) != server || status != 0) peer_die("the server failed");
  return 0;
}

/* rabbitmqc_rpc --url amqp://… [--in-flight W] [--count N] [--request-bytes B] [--reply-bytes B]
 *               [--acks each|folded]
 *
 * Calls over RabbitMQ as tightly as rabbitmq-c makes them: an echo server in a child process, a
 * client with W calls in flight. Confirms on at both ends, replies mandatory, each message
 * acknowledged: what oslo.messaging does for a call. Prints one JSON line. */
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

typedef struct {
  const char* url;
  uint32_t in_flight, count;
  size_t request_bytes, reply_bytes;
  ack_mode acks;
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
  amqp_bytes_t body = peer_body(s->reply_bytes);
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
    peer_publish(&p, amqp_empty_bytes, m.properties->reply_to, true, &props, body);
    peer_ack(&p, m.tag);
  }
  peer_await_confirms(&p, 0);
  peer_delete_queue(&p, request_queue);
  peer_close(&p);
  amqp_bytes_free(body);
}

/* ---- client ---------------------------------------------------------------------------------- */

typedef struct {
  peer p;
  double* sent; /* by slot */
  amqp_bytes_t body, exchange, key;
  amqp_basic_properties_t props;
} client;

static void call(client* c, uint32_t slot) {
  c->props.correlation_id.bytes = &slot;
  c->props.correlation_id.len = sizeof slot;
  c->sent[slot] = peer_now();
  peer_publish(&c->p, c->exchange, c->key, false, &c->props, c->body);
}

/* Makes `count` calls, at most `in_flight` at once, and waits for each answer. */
static void run(client* c, uint32_t in_flight, uint32_t count, float* latencies) {
  uint32_t started = 0, answered = 0;
  while (started < in_flight && started < count) call(c, started++);
  peer_message m;
  while (answered < count) {
    if (!peer_pump(&c->p, &m)) continue;
    uint32_t slot;
    if (m.properties->correlation_id.len != sizeof slot) peer_die("a reply without its call");
    memcpy(&slot, m.properties->correlation_id.bytes, sizeof slot);
    if (slot >= in_flight) peer_die("a reply to no call");
    float latency = (float)(peer_now() - c->sent[slot]);
    if (latencies) latencies[answered] = latency;
    ++answered;
    if (started < count) {
      ++started;
      call(c, slot);
    }
    peer_ack(&c->p, m.tag);
  }
}

static int ascending(const void* a, const void* b) {
  float x = *(const float*)a, y = *(const float*)b;
  return (x > y) - (x < y);
}

static double percentile_us(const float* sorted, uint32_t count, double fraction) {
  uint32_t at = (uint32_t)(fraction * count);
  return 1e6 * (double)sorted[at < count ? at : count - 1];
}

static void measure(const settings* s, pid_t server) {
  client c;
  memset(&c, 0, sizeof c);
  peer_open(&c.p, s->url, s->acks);
  peer_declare_reply_queue(&c.p, reply_queue);
  peer_consume(&c.p, reply_queue);
  c.body = peer_body(s->request_bytes);
  c.exchange = amqp_cstring_bytes(exchange_name);
  c.key = amqp_cstring_bytes(request_queue);
  c.props = peer_properties();
  c.props._flags |=
      AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_EXPIRATION_FLAG;
  c.props.reply_to = amqp_cstring_bytes(reply_queue);
  c.props.expiration = amqp_cstring_bytes("60000");
  c.sent = calloc(s->in_flight, sizeof *c.sent);
  float* latencies = calloc(s->count, sizeof *latencies);
  if (!c.sent || !latencies) peer_die("out of memory");

  run(&c, s->in_flight, s->count / 10 + 1, NULL); /* warm-up */
  double client_cpu = peer_cpu_seconds(0), server_cpu = peer_cpu_seconds(server);
  double begin = peer_now();
  run(&c, s->in_flight, s->count, latencies);
  double seconds = peer_now() - begin;
  client_cpu = peer_cpu_seconds(0) - client_cpu;
  server_cpu = peer_cpu_seconds(server) - server_cpu;

  amqp_basic_properties_t end = peer_properties();
  peer_publish(&c.p, c.exchange, c.key, false, &end, amqp_empty_bytes);
  peer_await_confirms(&c.p, 0);
  peer_delete_queue(&c.p, reply_queue);
  peer_close(&c.p);

  qsort(latencies, s->count, sizeof *latencies, ascending);
  double n = s->count;
  printf(
      "{\"mode\": \"call\", \"in_flight\": %u, \"count\": %u, \"seconds\": %.6f, \"rate\": %.1f, "
      "\"latency_us\": {\"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f}, "
      "\"cpu_us\": {\"client\": %.2f, \"server\": %.2f}, \"errors\": 0}\n",
      s->in_flight, s->count, seconds, n / seconds, percentile_us(latencies, s->count, 0.5),
      percentile_us(latencies, s->count, 0.99), percentile_us(latencies, s->count, 0.999),
      1e6 * client_cpu / n, 1e6 * server_cpu / n);
  free(latencies);
  free(c.sent);
  amqp_bytes_free(c.body);
}

/* ---- main ------------------------------------------------------------------------------------ */

static unsigned long number(const char* text) {
  char* end;
  errno = 0;
  unsigned long n = strtoul(text, &end, 10);
  if (errno || *end || n == 0 || n > 100000000) peer_die("%s is not a count", text);
  return n;
}

static settings read_arguments(int argc, char** argv) {
  settings s = {.in_flight = 1, .count = 5000, .request_bytes = 400, .reply_bytes = 300};
  for (int i = 1; i + 1 < argc; i += 2) {
    const char* value = argv[i + 1];
    if (!strcmp(argv[i], "--url"))
      s.url = value;
    else if (!strcmp(argv[i], "--in-flight"))
      s.in_flight = (uint32_t)number(value);
    else if (!strcmp(argv[i], "--count"))
      s.count = (uint32_t)number(value);
    else if (!strcmp(argv[i], "--request-bytes"))
      s.request_bytes = number(value);
    else if (!strcmp(argv[i], "--reply-bytes"))
      s.reply_bytes = number(value);
    else if (!strcmp(argv[i], "--acks"))
      s.acks = strcmp(value, "folded") ? ack_each : ack_folded;
    else
      peer_die("unknown option %s", argv[i]);
  }
  if (!s.url) peer_die("--url is missing");
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

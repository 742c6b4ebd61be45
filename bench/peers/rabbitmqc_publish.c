/* rabbitmqc_publish --url amqp://… [--window W] [--count N] [--body BYTES|simulator] [--overhead B]
 *                   [--readers R] [--acks each|folded] [--broker-pid P]
 *
 * Publishes N persistent messages with at most W unconfirmed, as tightly as rabbitmq-c does it.
 * Readers 0: into a queue that nobody reads, emptied afterwards (a notification). 1: a consumer in
 * a child process takes them at the same time (a cast). More: a fanout exchange and a queue for
 * each reader, all read by one connection of the child. A latency is from publish to confirm; with
 * readers the time ends when each has had them all. Prints one JSON line. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rabbitmqc_peer.h"

typedef struct {
  const char *url, *body;
  unsigned long window, count, overhead, readers;
  ack_mode acks;
  pid_t broker;
} settings;

static char exchange[64], queue[64];

/* ---- readers --------------------------------------------------------------------------------- */

static void declare(peer* p, const settings* s) {
  if (s->readers > 1)
    peer_declare_fanout(p, exchange, queue, (unsigned)s->readers);
  else
    peer_declare_topic(p, exchange, queue);
}

/* Takes the warm-up, says so, takes the rest, says so. */
static void take(const settings* s, unsigned long warm_up, int says) {
  peer p;
  peer_open(&p, s->url, s->acks);
  declare(&p, s);
  char name[96];
  for (unsigned long i = 0; i < s->readers; ++i) {
    snprintf(name, sizeof name, s->readers > 1 ? "%s%lu" : "%s", queue, i);
    peer_consume(&p, name);
  }
  if (write(says, "r", 1) != 1) peer_die("the publisher is gone");
  unsigned long taken = 0, all = (warm_up + s->count) * s->readers;
  peer_message m;
  while (taken < all) {
    if (!peer_pump(&p, &m)) continue;
    peer_ack(&p, m.tag);
    ++taken;
    if ((taken == warm_up * s->readers || taken == all) && write(says, "t", 1) != 1)
      peer_die("the publisher is gone");
  }
  char byte;
  if (read(STDIN_FILENO, &byte, 1) < 0) peer_die("the publisher is gone");
  for (unsigned long i = 0; i < s->readers; ++i) {
    snprintf(name, sizeof name, s->readers > 1 ? "%s%lu" : "%s", queue, i);
    peer_delete_queue(&p, name);
  }
  peer_close(&p);
}

/* ---- publisher ------------------------------------------------------------------------------- */

static void publish(peer* p, const settings* s, const peer_bodies* bodies, unsigned long count,
                    float* latencies) {
  static double sent[peer_most_outstanding];
  amqp_basic_properties_t props = peer_properties();
  const uint64_t first = p->confirmed + 1;
  uint64_t seen = p->confirmed;
  unsigned long started = 0;
  peer_message m;
  while (seen - first + 1 < count) {
    while (started < count && p->published - p->confirmed < s->window) {
      sent[(p->published + 1) % peer_most_outstanding] = peer_now();
      peer_publish(p, amqp_cstring_bytes(exchange), amqp_cstring_bytes(queue), false, &props,
                   bodies->body[started++ % bodies->count]);
    }
    if (peer_pump(p, &m)) peer_die("a message where only confirms were due");
    if (seen == p->confirmed) continue;
    double now = peer_now();
    while (seen < p->confirmed) {
      ++seen;
      if (latencies) latencies[seen - first] = (float)(now - sent[seen % peer_most_outstanding]);
    }
  }
}

static void expect(int from) {
  char byte;
  if (read(from, &byte, 1) != 1) peer_die("the readers have ended early");
}

static void measure(const settings* s, unsigned long warm_up, pid_t readers, int told) {
  peer p;
  peer_open(&p, s->url, s->acks);
  declare(&p, s);
  peer_bodies bodies;
  peer_make_bodies(&bodies, s->body, s->overhead);
  float* latencies = calloc(s->count, sizeof *latencies);
  if (!latencies) peer_die("out of memory");
  publish(&p, s, &bodies, warm_up, NULL);
  if (readers) expect(told);
  double client_cpu = peer_cpu_seconds(0), server_cpu = readers ? peer_cpu_seconds(readers) : 0;
  double broker_cpu = s->broker ? peer_cpu_seconds(s->broker) : 0;
  double begin = peer_now();
  publish(&p, s, &bodies, s->count, latencies);
  if (readers) expect(told);
  double seconds = peer_now() - begin;
  client_cpu = peer_cpu_seconds(0) - client_cpu;
  server_cpu = readers ? peer_cpu_seconds(readers) - server_cpu : 0;
  broker_cpu = s->broker ? peer_cpu_seconds(s->broker) - broker_cpu : 0;
  long server_kib = readers ? peer_peak_kib(readers) : 0;
  if (!readers) {
    uint32_t waiting = peer_queue_depth(&p, queue);
    if (waiting != warm_up + s->count) peer_die("%u messages are in the queue", waiting);
    peer_delete_queue(&p, queue);
  }
  peer_delete_exchange(&p, exchange);
  peer_close(&p);

  double n = (double)s->count;
  printf(
      "{\"mode\": \"publish\", \"in_flight\": %lu, \"count\": %lu, \"seconds\": %.6f, "
      "\"rate\": %.1f, ",
      s->window, s->count, seconds, n / seconds);
  peer_print_latencies(latencies, s->count);
  printf(", \"cpu_us\": {\"client\": %.2f", 1e6 * client_cpu / n);
  peer_print_broker(s->broker, 1e6 * broker_cpu / n);
  if (readers) printf(", \"server\": %.2f", 1e6 * server_cpu / n);
  printf("}, \"peak_memory_kib\": {\"client\": %ld", peer_peak_kib(0));
  if (readers) printf(", \"server\": %ld", server_kib);
  printf("}, \"connections\": {\"client\": 1%s}, \"errors\": 0}\n",
         readers ? ", \"server\": 1" : "");
  free(latencies);
  peer_free_bodies(&bodies);
}

/* ---- main ------------------------------------------------------------------------------------ */

static settings read_arguments(int argc, char** argv) {
  settings s = {.body = "100", .window = 1024, .count = 50000, .overhead = 146};
  for (int i = 1; i + 1 < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    if (!strcmp(name, "--url"))
      s.url = value;
    else if (!strcmp(name, "--window"))
      s.window = peer_number(value);
    else if (!strcmp(name, "--count"))
      s.count = peer_number(value);
    else if (!strcmp(name, "--body"))
      s.body = value;
    else if (!strcmp(name, "--overhead"))
      s.overhead = peer_number(value);
    else if (!strcmp(name, "--readers"))
      s.readers = peer_number(value);
    else if (!strcmp(name, "--acks"))
      s.acks = strcmp(value, "folded") ? ack_each : ack_folded;
    else if (!strcmp(name, "--broker-pid"))
      s.broker = (pid_t)peer_number(value);
    else
      peer_die("unknown option %s", name);
  }
  if (!s.url) peer_die("--url is missing");
  if (s.window == 0 || s.window > 20000) peer_die("--window is not 1 to 20,000");
  if (s.count == 0 || s.overhead < 80 || s.readers > 1000)
    peer_die("--count, --overhead or --readers is out of range");
  return s;
}

int main(int argc, char** argv) {
  settings s = read_arguments(argc, argv);
  unsigned long warm_up = s.count / 10 + 1;
  snprintf(exchange, sizeof exchange, "bench_rabbitmqc_%d", (int)getpid());
  /* The key of a notification is topic.priority, of a cast the topic: a topic exchange looks up
   * each word, so that the one costs the broker more than the other. */
  snprintf(queue, sizeof queue, "bench_rabbitmqc_publish_%d%s", (int)getpid(),
           s.readers ? "" : ".info");
  int says[2] = {-1, -1}, ends[2] = {-1, -1};
  pid_t readers = 0;
  if (s.readers > 0) {
    if (pipe(says) != 0 || pipe(ends) != 0) peer_die("pipe failed");
    readers = fork();
    if (readers < 0) peer_die("fork failed");
    if (readers == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      close(says[0]);
      close(ends[1]);
      dup2(ends[0], STDIN_FILENO); /* closed when the publisher has read its figures */
      take(&s, warm_up, says[1]);
      return 0;
    }
    close(says[1]);
    close(ends[0]);
    expect(says[0]);
  }
  measure(&s, warm_up, readers, says[0]);
  if (readers) {
    close(ends[1]);
    int status;
    if (waitpid(readers, &status, 0) != readers || status != 0) peer_die("the readers failed");
  }
  return 0;
}

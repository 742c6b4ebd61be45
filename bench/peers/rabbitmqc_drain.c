/* rabbitmqc_drain --url amqp://… [--count N] [--body BYTES|simulator] [--overhead B]
 *                 [--acks each|folded] [--broker-pid P]
 *
 * Puts N messages in a queue, then times a consumer alone: from the first message to the last
 * acknowledgement. Prints one JSON line. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rabbitmqc_peer.h"

static const char exchange_name[] = "bench_rabbitmqc";

static void fill(const char* url, const char* queue, unsigned long count,
                 const peer_bodies* bodies) {
  peer p;
  peer_open(&p, url, ack_each);
  peer_declare_topic(&p, exchange_name, queue);
  amqp_basic_properties_t props = peer_properties();
  for (unsigned long i = 0; i < count; ++i) {
    peer_publish(&p, amqp_cstring_bytes(exchange_name), amqp_cstring_bytes(queue), false, &props,
                 bodies->body[i % bodies->count]);
    peer_await_confirms(&p, peer_confirm_window);
  }
  peer_await_confirms(&p, 0);
  uint32_t waiting = peer_queue_depth(&p, queue);
  if (waiting != count) peer_die("%u of %lu messages are in the queue", waiting, count);
  peer_close(&p);
}

int main(int argc, char** argv) {
  const char* url = NULL;
  const char* kind = "100";
  unsigned long count = 50000, overhead = 146;
  pid_t broker = 0;
  ack_mode acks = ack_each;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--url"))
      url = argv[i + 1];
    else if (!strcmp(argv[i], "--count"))
      count = peer_number(argv[i + 1]);
    else if (!strcmp(argv[i], "--body"))
      kind = argv[i + 1];
    else if (!strcmp(argv[i], "--overhead"))
      overhead = peer_number(argv[i + 1]);
    else if (!strcmp(argv[i], "--broker-pid"))
      broker = (pid_t)peer_number(argv[i + 1]);
    else if (!strcmp(argv[i], "--acks"))
      acks = strcmp(argv[i + 1], "folded") ? ack_each : ack_folded;
    else
      peer_die("unknown option %s", argv[i]);
  }
  if (!url || count < 2) peer_die("--url is missing, or --count is not at least 2");
  char queue[64];
  snprintf(queue, sizeof queue, "bench_rabbitmqc_drain_%d", (int)getpid());
  if (overhead < 80) peer_die("an envelope has at least 80 bytes");
  peer_bodies bodies;
  peer_make_bodies(&bodies, kind, overhead);
  fill(url, queue, count, &bodies);

  peer p;
  peer_open(&p, url, acks);
  peer_consume(&p, queue);
  peer_message m;
  double begin = 0, cpu = 0, broker_cpu = 0;
  for (unsigned long taken = 0; taken < count;) {
    if (!peer_pump(&p, &m)) continue;
    if (taken++ == 0) {
      begin = peer_now();
      cpu = peer_cpu_seconds(0);
      if (broker) broker_cpu = peer_cpu_seconds(broker);
    }
    if (m.body.len != bodies.body[(taken - 1) % bodies.count].len)
      peer_die("a message of %zu bytes", m.body.len);
    peer_ack(&p, m.tag);
  }
  double seconds = peer_now() - begin;
  cpu = peer_cpu_seconds(0) - cpu;
  if (broker) broker_cpu = peer_cpu_seconds(broker) - broker_cpu;
  peer_delete_queue(&p, queue);
  peer_close(&p);
  double n = (double)count;
  printf(
      "{\"mode\": \"drain\", \"count\": %lu, \"seconds\": %.6f, \"rate\": %.1f, "
      "\"cpu_us\": {\"server\": %.2f",
      count, seconds, n / seconds, 1e6 * cpu / n);
  peer_print_broker(broker, 1e6 * broker_cpu / n);
  printf(
      "}, \"peak_memory_kib\": {\"server\": %ld}, \"connections\": {\"server\": 1}, "
      "\"errors\": 0}\n",
      peer_peak_kib(0));
  peer_free_bodies(&bodies);
  return 0;
}

/* rabbitmqc_drain --url amqp://… [--count N] [--request-bytes B] [--acks each|folded]
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

static void fill(const char* url, const char* queue, unsigned long count, size_t bytes) {
  peer p;
  peer_open(&p, url, ack_each);
  peer_declare_topic(&p, exchange_name, queue);
  amqp_bytes_t body = peer_body(bytes);
  amqp_basic_properties_t props = peer_properties();
  for (unsigned long i = 0; i < count; ++i) {
    peer_publish(&p, amqp_cstring_bytes(exchange_name), amqp_cstring_bytes(queue), false, &props,
                 body);
    peer_await_confirms(&p, peer_confirm_window);
  }
  peer_await_confirms(&p, 0);
  uint32_t waiting = peer_queue_depth(&p, queue);
  if (waiting != count) peer_die("%u of %lu messages are in the queue", waiting, count);
  peer_close(&p);
  amqp_bytes_free(body);
}

int main(int argc, char** argv) {
  const char* url = NULL;
  unsigned long count = 50000, bytes = 400;
  ack_mode acks = ack_each;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--url"))
      url = argv[i + 1];
    else if (!strcmp(argv[i], "--count"))
      count = strtoul(argv[i + 1], NULL, 10);
    else if (!strcmp(argv[i], "--request-bytes"))
      bytes = strtoul(argv[i + 1], NULL, 10);
    else if (!strcmp(argv[i], "--acks"))
      acks = strcmp(argv[i + 1], "folded") ? ack_each : ack_folded;
    else
      peer_die("unknown option %s", argv[i]);
  }
  if (!url || count < 2) peer_die("--url is missing, or --count is not at least 2");
  char queue[64];
  snprintf(queue, sizeof queue, "bench_rabbitmqc_drain_%d", (int)getpid());
  fill(url, queue, count, bytes);

  peer p;
  peer_open(&p, url, acks);
  peer_consume(&p, queue);
  peer_message m;
  double begin = 0, cpu = 0;
  for (unsigned long taken = 0; taken < count;) {
    if (!peer_pump(&p, &m)) continue;
    if (taken++ == 0) {
      begin = peer_now();
      cpu = peer_cpu_seconds(0);
    }
    if (m.body.len != bytes) peer_die("a message of %zu bytes", m.body.len);
    peer_ack(&p, m.tag);
  }
  double seconds = peer_now() - begin;
  cpu = peer_cpu_seconds(0) - cpu;
  peer_delete_queue(&p, queue);
  peer_close(&p);
  double n = (double)count;
  printf(
      "{\"mode\": \"drain\", \"count\": %lu, \"seconds\": %.6f, \"rate\": %.1f, "
      "\"cpu_us\": {\"server\": %.2f}, \"errors\": 0}\n",
      count, seconds, n / seconds, 1e6 * cpu / n);
  return 0;
}

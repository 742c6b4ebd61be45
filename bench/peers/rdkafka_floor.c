// What librdkafka itself takes for what the kafka driver does, with nothing of ours around it.
//
//   rdkafka_floor SERVERS TOPIC COUNT SIZE WINDOW
//
// Sends COUNT records of SIZE bytes: at most WINDOW of them without a delivery report, one report
// for each, a piece of memory of its own for each, which its report frees. Then a member of a
// consumer group reads them all and commits after each tenth of a second. Prints two lines of
// figures, in the form of rdkafka_performance. The second one counts from the first record on.
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fail(const char* what, const char* why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static rd_kafka_conf_t* settings(const char* const* all, int events) {
  char why[256];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (; *all != NULL; all += 2)
    if (rd_kafka_conf_set(conf, all[0], all[1], why, sizeof why) != RD_KAFKA_CONF_OK)
      fail(all[0], why);
  rd_kafka_conf_set_events(conf, events);
  return conf;
}

static rd_kafka_t* client(rd_kafka_type_t type, rd_kafka_conf_t* conf) {
  char why[256];
  rd_kafka_t* made = rd_kafka_new(type, conf, why, sizeof why);
  if (made == NULL) fail("rd_kafka_new", why);
  return made;
}

static void produce(rd_kafka_t* to, const char* topic, size_t size) {
  char* body = malloc(size);
  if (body == NULL) fail("malloc", "no memory");
  memset(body, 'x', size);
  const rd_kafka_resp_err_t e =
      rd_kafka_producev(to, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_VALUE(body, size),
                        RD_KAFKA_V_OPAQUE(body), RD_KAFKA_V_END);
  if (e != RD_KAFKA_RESP_ERR_NO_ERROR) fail("produce", rd_kafka_err2str(e));
}

static void send_all(const char* servers, const char* topic, long count, size_t size, long window) {
  const char* const conf[] = {"bootstrap.servers",
                              servers,
                              "enable.idempotence",
                              "true",
                              "acks",
                              "all",
                              "linger.ms",
                              "0",
                              "batch.num.messages",
                              "16384",
                              "queue.buffering.max.messages",
                              "200000",
                              "queue.buffering.max.kbytes",
                              "262144",
                              NULL};
  rd_kafka_t* const to = client(RD_KAFKA_PRODUCER, settings(conf, RD_KAFKA_EVENT_DR));
  rd_kafka_queue_t* const reports = rd_kafka_queue_get_main(to);
  double begin = 0;
  // The first record makes the topic, and is not timed.
  for (long sent = 0, done = 0; done < count + 1;) {
    const long last = done == 0 ? 1 : count + 1;
    if (done == 1 && sent == 1) begin = now();
    for (; sent < last && sent - done < window; ++sent) produce(to, topic, size);
    rd_kafka_event_t* const e = rd_kafka_queue_poll(reports, 10000);
    if (e == NULL) fail("produce", "no delivery report within 10 s");
    const rd_kafka_message_t* m;
    while ((m = rd_kafka_event_message_next(e)) != NULL) {
      if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) fail("report", rd_kafka_err2str(m->err));
      free(m->_private);
      ++done;
      if (sent < last && done > 1) {
        produce(to, topic, size);
        ++sent;
      }
    }
    rd_kafka_event_destroy(e);
  }
  printf("sent: %.0f msgs/s\n", (double)count / (now() - begin));
  rd_kafka_queue_destroy(reports);
  rd_kafka_destroy(to);
}

static void take_all(const char* servers, const char* topic, long count) {
  const char* const conf[] = {"bootstrap.servers",
                              servers,
                              "group.id",
                              topic,
                              "enable.auto.commit",
                              "false",
                              "enable.auto.offset.store",
                              "false",
                              "auto.offset.reset",
                              "earliest",
                              "max.partition.fetch.bytes",
                              "1048576",
                              NULL};
  rd_kafka_t* const from = client(RD_KAFKA_CONSUMER, settings(conf, RD_KAFKA_EVENT_OFFSET_COMMIT));
  rd_kafka_poll_set_consumer(from);
  rd_kafka_topic_partition_list_t* const list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
  const rd_kafka_resp_err_t e = rd_kafka_subscribe(from, list);
  if (e != RD_KAFKA_RESP_ERR_NO_ERROR) fail("subscribe", rd_kafka_err2str(e));
  rd_kafka_queue_t* const queue = rd_kafka_queue_get_consumer(from);
  double begin = 0, last_commit = 0;
  for (long taken = 0; taken < count;) {
    rd_kafka_message_t* batch[256];
    // A batch waits until it is full: only one record is waited for.
    ssize_t n = rd_kafka_consume_batch_queue(queue, 0, batch, 256);
    if (n == 0) n = rd_kafka_consume_batch_queue(queue, 1000, batch, 1);
    if (n > 0 && begin == 0) begin = last_commit = now();
    for (ssize_t i = 0; i < n; ++i) {
      if (batch[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        ++taken;
        list->elems[0].partition = batch[i]->partition;
        list->elems[0].offset = batch[i]->offset + 1;
      }
      rd_kafka_message_destroy(batch[i]);
    }
    if (n > 0 && now() - last_commit >= 0.1) {
      rd_kafka_commit(from, list, 1);
      last_commit = now();
    }
  }
  printf("taken: %.0f msgs/s\n", (double)count / (now() - begin));
  rd_kafka_commit(from, list, 0);
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(from);
  rd_kafka_destroy(from);
}

int main(int argc, char** argv) {
  if (argc != 6) fail("usage", "rdkafka_floor SERVERS TOPIC COUNT SIZE WINDOW");
  const long count = atol(argv[3]);
  send_all(argv[1], argv[2], count, (size_t)atol(argv[4]), atol(argv[5]));
  take_all(argv[1], argv[2], count + 1);
  return 0;
}

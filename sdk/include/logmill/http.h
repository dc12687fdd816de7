/* logmill/http.h -- what the host offers to sinks (since ABI 1.1): requests to a service, by the client that the host itself reads stores with.
 *
 * Connections are kept and used again, TLS is always verified, and nothing is sent twice but by whoever calls: what may be repeated, and when, is
 * the sink's to know. Signatures by AWS credentials are the host's, which looks for them where users of the AWS CLI expect, and renews them.
 */
#ifndef LOGMILL_HTTP_H
#define LOGMILL_HTTP_H

#include <logmill/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lm_http_client lm_http_client; /* the host's */

typedef struct lm_http_settings { /* [borrowed] */
  uint32_t struct_size;
  uint32_t reserved;
  lm_str ca_file; /* certificates to trust instead of the system's; empty: the system's */
  /* Not empty: every request is signed (AWS Signature Version 4) for this service, "es", in this region. The paths of its requests are made of
   * letters, digits and "-._~/". */
  lm_str aws_service;
  lm_str aws_region; /* empty: AWS_REGION, AWS_DEFAULT_REGION, the profile */
} lm_http_settings;

typedef struct lm_http_request { /* [borrowed] */
  uint32_t struct_size;
  uint32_t idle_seconds; /* nothing came or went for so long: it has failed. 0: 30 */
  lm_str method;
  lm_str url;            /* http or https; sent as it stands */
  const lm_str* headers; /* "name: value" */
  uint64_t n_headers;
  lm_str body;
  uint64_t most; /* bytes of an answer's body; a longer one is a failure */
} lm_http_request;

typedef struct lm_http_answer { /* [borrowed] */
  uint32_t struct_size;
  int32_t status;    /* 0: there is no answer, or no whole one, and `failure` says why */
  uint32_t hopeless; /* 1: it will not go better another time: a certificate that does not hold, an address that is none */
  uint32_t reserved;
  lm_str body;
  lm_str failure;
  lm_str retry_after; /* the header; may be empty */
} lm_http_answer;

typedef struct lm_http {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  lm_status (*open)(void* self, const lm_http_settings*, lm_http_client** client, lm_error*); /* [load] */
  /* [any] Blocks; `take` gets the answer, also where there is none. Not LM_OK: there is nothing to sign with, or the run is out of memory. */
  lm_status (*send)(void* self, lm_http_client*, const lm_http_request*, void* ctx, void (*take)(void* ctx, const lm_http_answer*),
                    lm_error*);
  void (*close)(void* self, lm_http_client*); /* [load] after the last send has returned */
  /* [any] 1: the run is being stopped. What goes well is still brought to its end; what does not is not to be waited for. A request that hangs is given up soon. */
  uint32_t (*stopping)(void* self);
} lm_http;

#ifdef __cplusplus
}
#endif

#endif /* LOGMILL_HTTP_H */

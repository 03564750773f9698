/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers the name look-up of libraries that shall not do any: "no such host". CMakeLists.txt renames the calls, so the C library's own
 * functions of these names stay what they are. */
#include <netdb.h>
#include <stddef.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
  (void)node;
  (void)service;
  (void)hints;
  *result = NULL;
  return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo *list)
{
  (void)list;
}

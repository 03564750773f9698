// SPDX-License-Identifier: Apache-2.0
// Bags made by `openssl crl2pkcs7 -nocrl`: a device's certificate, its intermediate and its root, in several mixtures.
#include "agent/identity/certificate_bag.hpp"

#include <gtest/gtest.h>

#include "agent/identity/device_certificate.hpp"

namespace fieldpost {
namespace {

const std::string kLeaf =
    "MIIBNgYJKoZIhvcNAQcCoIIBJzCCASMCAQExADALBgkqhkiG9w0BBwGgggELMIIBBzCBrwIBCTAKBggqhkjOPQQDAjAQMQ4w"
    "DAYDVQQDDAVJbnRlcjAgFw0yNjExMjEwMzI1MzZaGA8yMDUxMDcxMzAzMjUzNlowDzENMAsGA1UEAwwEZ3ctMTBZMBMGByqG"
    "SM49AgEGCCqGSM49AwEHA0IABKs9lfykd8CkRq3NWdWXSSGmBlC1HSBlHYNb7Oh9f28AdqtR42CcXpZ0OD1fgRkC51Dmw0F4"
    "iLHIg6K48iJEDZwwCgYIKoZIzj0EAwIDRwAwRAIgZK+9nnCbyB13IKX1NjbYQJpFC4S/nDy4X8hnerPccEQCID2kRPe5VTPS"
    "VnQ+21Ajc+i4eftiKG9zJFg4OqU7hPHIMQA=";
const std::string kAuthorities =
    "MIIDCwYJKoZIhvcNAQcCoIIC/DCCAvgCAQExADALBgkqhkiG9w0BBwGgggLgMIIBdTCCARugAwIBAgIUQgCG1FP4KUrvNZvl"
    "V0feq/V2n0UwCgYIKoZIzj0EAwIwDzENMAsGA1UEAwwEUm9vdDAgFw0yNjExMjEwMzI1MzZaGA8yMDUxMDcxMzAzMjUzNlow"
    "DzENMAsGA1UEAwwEUm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAoch4nEe/+0+Uj9nxT+rsXHPo/pA7mvuqCkou9O"
    "8Dv0/M6iCCvU2qpMaBzDU+rzdM9VrB9EqJ/JKmKhds2Q1FWjUzBRMB0GA1UdDgQWBBT4Ts4VX/984KX0AQEL+sqd9OppezAf"
    "BgNVHSMEGDAWgBT4Ts4VX/984KX0AQEL+sqd9OppezAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIHHnx8uK"
    "VCak9VOy6AqioxaRx9kyTUqo1hrgLZj4LK/DAiEA2m7hZovacb9x2crrHidyfOw6DQdoNqQRxVE2bdefxDYwggFjMIIBCaAD"
    "AgECAgEHMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBFJvb3QwIBcNMjYxMTIxMDMyNTM2WhgPMjA1MTA3MTMwMzI1MzZaMBAx"
    "DjAMBgNVBAMMBUludGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5UMWiSRW5qek4xI2AsrUFvJtnDHi/hXitAWpZHlK"
    "JKUZf79iMFe06KQ3SDiZKP34a1t0wfngLkaigInW5DLxsaNTMFEwDwYDVR0TAQH/BAUwAwEB/zAdBgNVHQ4EFgQUE4wMFWVk"
    "wSZk7wBOM8FVAR5bR7UwHwYDVR0jBBgwFoAU+E7OFV//fOCl9AEBC/rKnfTqaXswCgYIKoZIzj0EAwIDSAAwRQIgE0zDwZb1"
    "jZGHgSTDaA1wYfdB0ahwd5KSq7vMyMBdsnQCIQDwc1nlnzUp010j8WyAXWNVzs4tt1cp9tXoDSz6oNAgBjEA";
const std::string kMixed =
    "MIICnQYJKoZIhvcNAQcCoIICjjCCAooCAQExADALBgkqhkiG9w0BBwGgggJyMIIBYzCCAQmgAwIBAgIBBzAKBggqhkjOPQQD"
    "AjAPMQ0wCwYDVQQDDARSb290MCAXDTI2MTEyMTAzMjUzNloYDzIwNTEwNzEzMDMyNTM2WjAQMQ4wDAYDVQQDDAVJbnRlcjBZ"
    "MBMGByqGSM49AgEGCCqGSM49AwEHA0IABOVDFokkVuanpOMSNgLK1BbybZwx4v4V4rQFqWR5SiSlGX+/YjBXtOikN0g4mSj9"
    "+GtbdMH54C5GooCJ1uQy8bGjUzBRMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0OBBYEFBOMDBVlZMEmZO8ATjPBVQEeW0e1MB8G"
    "A1UdIwQYMBaAFPhOzhVf/3zgpfQBAQv6yp306ml7MAoGCCqGSM49BAMCA0gAMEUCIBNMw8GW9Y2Rh4Ekw2gNcGH3QdGocHeS"
    "kqu7zMjAXbJ0AiEA8HNZ5Z81KdNdI/FsgF1jVc7OLbdXKfbV6A0s+qDQIAYwggEHMIGvAgEJMAoGCCqGSM49BAMCMBAxDjAM"
    "BgNVBAMMBUludGVyMCAXDTI2MTEyMTAzMjUzNloYDzIwNTEwNzEzMDMyNTM2WjAPMQ0wCwYDVQQDDARndy0xMFkwEwYHKoZI"
    "zj0CAQYIKoZIzj0DAQcDQgAEqz2V/KR3wKRGrc1Z1ZdJIaYGULUdIGUdg1vs6H1/bwB2q1HjYJxelnQ4PV+BGQLnUObDQXiI"
    "sciDorjyIkQNnDAKBggqhkjOPQQDAgNHADBEAiBkr72ecJvIHXcgpfU2NthAmkULhL+cPLhfyGd6s9xwRAIgPaRE97lVM9JW"
    "dD7bUCNz6Lh5+2Iob3MkWDg6pTuE8cgxAA==";
const std::string kTwo =
    "MIICQQYJKoZIhvcNAQcCoIICMjCCAi4CAQExADALBgkqhkiG9w0BBwGgggIWMIIBBzCBrwIBCTAKBggqhkjOPQQDAjAQMQ4w"
    "DAYDVQQDDAVJbnRlcjAgFw0yNjExMjEwMzI1MzZaGA8yMDUxMDcxMzAzMjUzNlowDzENMAsGA1UEAwwEZ3ctMTBZMBMGByqG"
    "SM49AgEGCCqGSM49AwEHA0IABKs9lfykd8CkRq3NWdWXSSGmBlC1HSBlHYNb7Oh9f28AdqtR42CcXpZ0OD1fgRkC51Dmw0F4"
    "iLHIg6K48iJEDZwwCgYIKoZIzj0EAwIDRwAwRAIgZK+9nnCbyB13IKX1NjbYQJpFC4S/nDy4X8hnerPccEQCID2kRPe5VTPS"
    "VnQ+21Ajc+i4eftiKG9zJFg4OqU7hPHIMIIBBzCBrwIBCTAKBggqhkjOPQQDAjAQMQ4wDAYDVQQDDAVJbnRlcjAgFw0yNjEx"
    "MjEwMzI1MzZaGA8yMDUxMDcxMzAzMjUzNlowDzENMAsGA1UEAwwEZ3ctMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKs9"
    "lfykd8CkRq3NWdWXSSGmBlC1HSBlHYNb7Oh9f28AdqtR42CcXpZ0OD1fgRkC51Dmw0F4iLHIg6K48iJEDZwwCgYIKoZIzj0E"
    "AwIDRwAwRAIgZK+9nnCbyB13IKX1NjbYQJpFC4S/nDy4X8hnerPccEQCID2kRPe5VTPSVnQ+21Ajc+i4eftiKG9zJFg4OqU7"
    "hPHIMQA=";

std::size_t certificates_in(const std::string& pem) {
  std::size_t count = 0;
  for (std::size_t at = pem.find("BEGIN"); at != std::string::npos; at = pem.find("BEGIN", at + 1)) ++count;
  return count;
}

TEST(CertificateBag, TheChainIsTheDevicesOwnAndItsIntermediates) {
  const auto chain = chain_from_bags(kLeaf, kAuthorities);
  ASSERT_TRUE(chain) << chain.error().sentence();
  EXPECT_EQ(certificates_in(*chain), 2U);  // without the root
  EXPECT_EQ(DeviceCertificate::parse(*chain)->subject, "CN=gw-1");
}

TEST(CertificateBag, AnyOrderInTheBagMakesTheSameChain) {
  EXPECT_EQ(*chain_from_bags(kMixed, kAuthorities), *chain_from_bags(kLeaf, kAuthorities));
}

TEST(CertificateBag, ABagWithoutADevicesCertificateOrWithTwoIsRefused) {
  EXPECT_EQ(chain_from_bags(kAuthorities, kAuthorities).error().kind(), ErrorKind::Malformed);
  EXPECT_EQ(chain_from_bags(kTwo, kAuthorities).error().kind(), ErrorKind::Malformed);
}

TEST(CertificateBag, WhatIsNoBagIsMalformedWhereverItIsCutOrChanged) {
  for (const char* text : {"", "%%%%", "MAA=", "AAAA"}) EXPECT_FALSE(chain_from_bags(text, kAuthorities)) << text;
  for (std::size_t length = 0; length < kLeaf.size(); length += 4) {
    EXPECT_FALSE(chain_from_bags(kLeaf.substr(0, length), kAuthorities)) << length;
  }
  for (std::size_t at = 0; at < kLeaf.size(); ++at) {
    std::string changed = kLeaf;
    changed[at] = changed[at] == 'A' ? 'f' : 'A';
    const auto chain = chain_from_bags(changed, kAuthorities);  // nothing worse than another certificate
    if (chain) {
      EXPECT_GE(certificates_in(*chain), 1U);
    }
  }
  EXPECT_FALSE(chain_from_bags(std::string((256U << 10U) + 4, 'A'), kAuthorities));
}

}  // namespace
}  // namespace fieldpost

# SPDX-License-Identifier: Apache-2.0
"""AWS IoT fleet provisioning, as a device sees it: create-from-csr and provision over MQTT.

After the developer guide ("Fleet provisioning MQTT API") as reference/protocols.md section 1.9 has it: fields, codes, the
ownership token that lives an hour and registers one certificate, the template's parameters. `throttle` answers 429 that often first."""

import json
import secrets
import subprocess
import time

import paho.mqtt.client as mqtt

from tests.tools.consumer import mutual_tls

CREATE = "$aws/certificates/create-from-csr/json"
TOKEN_SECONDS = 3600


class Refused(Exception):
    def __init__(self, status, code, words):
        super().__init__(words)
        self.answer = {"statusCode": status, "errorCode": code, "errorMessage": words}


class AwsProvisioning:
    def __init__(self, broker, authority, folder, *, template, wanted=("SerialNumber",), thing="thing-{SerialNumber}", throttle=0,
                 silent=0, signer=None):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.provision = f"$aws/provisioning-templates/{template}/provision/json"
        self.wanted, self.thing, self.throttle, self.silent = set(wanted), thing, throttle, silent
        self.signer = signer or authority
        self.tokens = {}  # token -> (certificate's file, given at)
        self.things = {}  # thing -> parameters
        self.refusals = []
        self._client = mqtt.Client(client_id="aws-double", protocol=mqtt.MQTTv311)
        self._client.tls_set_context(mutual_tls(broker, authority.client("aws-double")))
        self._client.on_connect = lambda client, *_: client.subscribe([(CREATE, 1), (self.provision, 1)])
        self._client.on_message = self._received
        self._broker = broker

    def __enter__(self):
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        return self

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()

    def _received(self, client, _, message):
        if self.silent > 0:  # as before a subscription is in force: nobody hears the answer
            self.silent -= 1
            return
        try:
            if self.throttle > 0:
                self.throttle -= 1
                raise Refused(429, "Throttled", "too many requests")
            asked = json.loads(message.payload)
            answer = self._create(asked) if message.topic == CREATE else self._register(asked)
            client.publish(f"{message.topic}/accepted", json.dumps(answer), qos=1)
        except (ValueError, Refused) as error:
            refusal = error.answer if isinstance(error, Refused) else {
                "statusCode": 400, "errorCode": "InvalidPayload", "errorMessage": str(error)}
            self.refusals.append(refusal)
            client.publish(f"{message.topic}/rejected", json.dumps(refusal), qos=1)

    def _create(self, asked):
        if set(asked) != {"certificateSigningRequest"}:
            raise Refused(400, "InvalidPayload", f"unexpected keys {sorted(asked)}")
        number = secrets.token_hex(4)
        request = self.folder / f"{number}.csr"
        request.write_text(asked["certificateSigningRequest"])
        checked = subprocess.run(["openssl", "req", "-in", request, "-noout", "-verify"], capture_output=True, check=False)
        if checked.returncode != 0:
            raise Refused(400, "InvalidCertificateSigningRequest", "the request does not verify")
        chain = self.signer.answer(request, self.folder / f"{number}.pem")
        token = secrets.token_urlsafe(24)
        self.tokens[token] = (chain, time.monotonic())
        return {"certificateOwnershipToken": token, "certificateId": number, "certificatePem": chain.read_text()}

    def _register(self, asked):
        if not set(asked) <= {"certificateOwnershipToken", "parameters"} or "certificateOwnershipToken" not in asked:
            raise Refused(400, "InvalidPayload", f"unexpected keys {sorted(asked)}")
        parameters = asked.get("parameters", {})
        if not all(isinstance(value, str) for value in parameters.values()):
            raise Refused(400, "InvalidPayload", "parameters are strings")
        _, given = self.tokens.get(asked["certificateOwnershipToken"], (None, -TOKEN_SECONDS))
        if time.monotonic() - given >= TOKEN_SECONDS:
            raise Refused(400, "InvalidCertificateOwnershipToken", "unknown or expired")
        if set(parameters) != self.wanted:
            raise Refused(400, "InvalidParameters", f"the template wants {sorted(self.wanted)}")
        if parameters.get("SerialNumber") == "stolen":
            raise Refused(403, "AccessDenied", "the pre-provisioning hook says no")
        thing = self.thing.format(**parameters)
        self.things[thing] = parameters
        return {"deviceConfiguration": {}, "thingName": thing}

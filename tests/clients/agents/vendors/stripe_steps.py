"""stripe: customers and money."""

import os

import stripe

stripe.ca_bundle_path = os.environ["SSL_CERT_FILE"]  # it trusts a bundle of its own, whatever the environment says
STRIPE = stripe.StripeClient("not-a-key", max_network_retries=0).v1


def reads():
    return STRIPE.customers.retrieve("cus_1").id


def changes():
    return STRIPE.customers.update("cus_1", {"email": "ann@acme.example"}).id


def pays():
    return STRIPE.payment_intents.create({"amount": 2500, "currency": "eur", "confirm": True}).id


def refunds():
    return STRIPE.refunds.create({"charge": "ch_1", "amount": 1200}).id


def pays_out():
    return STRIPE.payouts.create({"amount": 100000, "currency": "gbp"}).id


def deletes():
    return STRIPE.customers.delete("cus_1").id


STEPS = (reads, changes, pays, refunds, pays_out, deletes)

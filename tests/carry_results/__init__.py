"""Tests of the ledger, the report and the price command."""

logmill_test(ledger_test SOURCES unit/ledger_test.cpp LIBRARIES logmill_ledger)

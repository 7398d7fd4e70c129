"""Control: what agents may still do, answered while they wait."""

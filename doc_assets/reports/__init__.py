"""Results as files for people and other programs; decides nothing."""

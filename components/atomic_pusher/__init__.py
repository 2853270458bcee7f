"""AtomicPusher: brings a blessed model to where it is served, whole or not at all."""

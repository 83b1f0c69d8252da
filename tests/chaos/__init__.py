"""Does money survive when everything around it dies? Workers, beats, servers and a faulty Stripe, killed at random."""

"""Publishing from any kind of code: a buffer, a thread that sends, and what happens at a fork."""

from vidence_client.publishing.buffer import OnFull
from vidence_client.publishing.encoding import make_event
from vidence_client.publishing.publisher import Publisher
from vidence_client.publishing.statistics import PublisherStatistics

__all__ = ["OnFull", "Publisher", "PublisherStatistics", "make_event"]

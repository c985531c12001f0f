"""Account pages that allauth has not: one module a page. Each parses, makes one service call and shapes the result."""

-- Names the keys of one cache that are gone, or do not live as long as they were written to: some, from a cursor on.
-- Whoever writes over a key with SET, or deletes it before, leaves another time to live. Writes nothing.
-- KEYS: 1 the cache's fingerprints. ARGV: cursor, about how many, the least milliseconds to live (-1: for ever).
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local least, found = tonumber(ARGV[3]), {}
for i = 1, #page[2], 2 do
  local lives = redis.call('PTTL', page[2][i])
  if lives == -2 or (least == -1) ~= (lives == -1) or lives < least then found[#found + 1] = page[2][i] end
end
return {page[1], #page[2] / 2, found}

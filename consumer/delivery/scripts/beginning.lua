-- Gives the beginning of an entry that its reader could not bring, again and again: it is larger than his patience, or
-- than the server's limit of a reply. It costs the server a moment in which nobody else is served: the last resort.
-- ARGV: group, id -> beginnings of its texts, how long each is, bytes and fields of the whole; nothing where there is no such entry
local TEXTS_SHOWN, SHOWN = 40, 200
local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if not entry then return {} end
local bytes, shown, lengths = 0, {}, {}
for i, text in ipairs(entry[2]) do
  bytes = bytes + #text
  if i <= TEXTS_SHOWN then shown[i], lengths[i] = text:sub(1, SHOWN), #text end
end
return {shown, lengths, bytes, #entry[2] / 2}
